"""UrbanSound8K: 8,732 slices of field recordings, ten folds."""

from collections.abc import Sequence

from pipeline.library.layouts.layout import Layout, LayoutReader, has, require_file, table_reader
from pipeline.library.tables.csv_file import read_metadata

TABLE = "metadata/UrbanSound8K.csv"
COLUMNS = {"path": ("slice_file_name",), "label": ("class",), "group": ("fsid",), "fold": ("fold",)}


def _read(libraries: Sequence[str]) -> LayoutReader:
    table = read_metadata(
        require_file("urbansound8k", libraries, TABLE, "UrbanSound8K.csv"), libraries=libraries, columns=COLUMNS
    )
    return table_reader(
        table,
        "the ten official folds of UrbanSound8K: each is tested once, as its authors ask; scores with folds made anew "
        "are too good",
    )


LAYOUT = Layout(
    name="urbansound8k",
    title="UrbanSound8K",
    gives="its folds and the recordings of its slices",
    looks_like=lambda folder: has(folder, TABLE),
    read=_read,
)
