"""Reading what is intact of a damaged file: by the CRC of each record and content, without trusting any index."""

from collections.abc import Iterator

import h5py

from pipeline.features.spec import FeatureRows
from storage.filestore.format.codec import unpack
from storage.filestore.format.families import rows_crc
from storage.filestore.format.hdf5 import DamagedError
from storage.filestore.format.records import Tracks


class Rescued:
    """The contents of one family in an open file, and the rows of those that are intact; raises as h5py does."""

    def __init__(self, file: h5py.File, key: str) -> None:
        self._group = file["features"][key]
        self._indptr = self._group["indptr"][:].tolist()
        whose = self._group["contents"][:]
        self._crc32 = whose["crc32"].tolist()
        self.contents = [unpack(packed) for packed in whose["content_hash"]]
        """Whose rows the file says it holds, whether that is true or not."""

    def rows(self, at: int) -> FeatureRows | None:
        """Return the rows of the content at a position, or None when they are not what was written."""
        try:
            begin, end = self._indptr[at : at + 2]
            if not 0 <= begin <= end <= len(self._group["values"]):
                return None
            values, start_s, channel = (self._group[name][begin:end] for name in ("values", "start_s", "channel"))
        except (OSError, ValueError, RuntimeError, KeyError):
            return None
        rows = FeatureRows(values=values, start_s=start_s, channel=channel)
        return rows if rows_crc(self.contents[at], rows) == self._crc32[at] else None


def intact_records(file: h5py.File) -> Iterator[Tracks]:
    """Yield the records of a file that are what was written, each a table of one."""
    table = Tracks.read(file)
    for row in range(len(table)):
        try:
            table.check(row)
        except DamagedError:
            continue
        yield table.take([row])
