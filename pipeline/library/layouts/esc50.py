"""ESC-50: 2,000 clips of environmental sound, five folds, several clips of one recording."""

from collections.abc import Sequence

from pipeline.library.layouts.layout import Layout, LayoutReader, has, require_file, table_reader
from pipeline.library.tables.csv_file import read_metadata

PLACES = ("meta/esc50.csv", "esc50.csv")
"""Of its table: in the set of its authors, and in copies that others hand on."""

COLUMNS = {"path": ("filename",), "label": ("category",), "group": ("src_file",), "fold": ("fold",)}


def _read(libraries: Sequence[str]) -> LayoutReader:
    path = require_file("esc50", libraries, *PLACES)
    table = read_metadata(path, libraries=libraries, columns=COLUMNS)
    return table_reader(table, "the five official folds of ESC-50: each is tested once, clips of a recording in one")


LAYOUT = Layout(
    name="esc50",
    title="ESC-50",
    gives="its folds and clip groups",
    looks_like=lambda folder: any(has(folder, place) for place in PLACES),
    read=_read,
)
