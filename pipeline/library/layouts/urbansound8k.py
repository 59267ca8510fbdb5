"""UrbanSound8K: 8,732 slices of field recordings, ten folds."""

from collections.abc import Sequence

from pipeline.library.layouts.layout import Layout, LayoutReader, has, require_file, table_reader
from pipeline.library.tables.csv_file import read_metadata

PLACES = ("metadata/UrbanSound8K.csv", "UrbanSound8K.csv")
"""Of its table: in the set of its authors, and in copies that others hand on."""

COLUMNS = {"path": ("slice_file_name",), "label": ("class",), "group": ("fsid",), "fold": ("fold",)}


def _read(libraries: Sequence[str]) -> LayoutReader:
    path = require_file("urbansound8k", libraries, *PLACES)
    table = read_metadata(path, libraries=libraries, columns=COLUMNS)
    return table_reader(
        table,
        "the ten official folds of UrbanSound8K: each is tested once, as its authors ask; scores with folds made anew "
        "are too good",
    )


LAYOUT = Layout(
    name="urbansound8k",
    title="UrbanSound8K",
    gives="its folds and the recordings of its slices",
    looks_like=lambda folder: any(has(folder, place) for place in PLACES),
    read=_read,
)
