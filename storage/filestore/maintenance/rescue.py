"""Reading what is intact in a damaged file: by the CRC-32 of each record and content, without trusting any index."""

from collections.abc import Iterator

import h5py

from pipeline.features.spec import FeatureRows
from storage.filestore.format.families import rows_crc
from storage.filestore.format.hdf5 import DamagedError
from storage.filestore.format.records import RecordTable
from storage.ids import unpack


class RescueTable:
    """The contents of one family in an open file, and the rows of those that are intact. Raises h5py's own errors."""

    def __init__(self, file: h5py.File, key: str) -> None:
        self._group = file["features"][key]
        self._indptr = self._group["indptr"][:].tolist()
        index = self._group["contents"][:]
        self._crc32 = index["crc32"].tolist()
        self.contents = [unpack(packed) for packed in index["content_hash"]]
        """The contents in the file's index, unchecked."""

    def rows(self, at: int) -> FeatureRows | None:
        """Return the rows of the content at a position, or None when they are damaged."""
        try:
            begin, end = self._indptr[at : at + 2]
            if not 0 <= begin <= end <= len(self._group["values"]):
                return None
            values, start_s, channel = (self._group[name][begin:end] for name in ("values", "start_s", "channel"))
        except (OSError, ValueError, RuntimeError, KeyError):
            return None
        rows = FeatureRows(values=values, start_s=start_s, channel=channel)
        return rows if rows_crc(self.contents[at], rows) == self._crc32[at] else None


def intact_records(file: h5py.File) -> Iterator[RecordTable]:
    """Yield the records of a file that are intact, each a table of one."""
    table = RecordTable.read(file)
    for row in range(len(table)):
        try:
            table.check(row)
        except DamagedError:
            continue
        yield table.select([row])
