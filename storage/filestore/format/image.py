"""An HDF5 file that is built in memory around large arrays, which are not copied into it."""

import bisect
import io

import numpy as np

_PAGE = 4096


class Image(io.RawIOBase):
    """A file object for HDF5's file-object driver: keeps HDF5's own structures in pages, and large arrays uncopied.

    Its memory is that of the structures alone; rows of a memory-mapped file stay there until they are written out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[int, bytearray] = {}
        self._inserted: list[tuple[int, memoryview]] = []
        self._at = 0
        self._size = 0

    def insert(self, offset: int, array: np.ndarray) -> None:
        """Put a C-contiguous array at a byte offset of the file, without copying it."""
        bisect.insort(self._inserted, (offset, array.reshape(-1).view(np.uint8).data), key=lambda pair: pair[0])

    def seekable(self) -> bool:
        """Return True, as h5py asks for it."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, from the start or the end only, and return it."""
        self._at = offset + (self._size if whence == io.SEEK_END else 0)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # HDF5 hands in a memoryview
        """Fill a buffer with what HDF5 wrote at the position, zeros where it wrote nothing."""
        view = memoryview(buffer).cast("B")
        view[:] = self._between(self._at, self._at + len(view))
        self._at += len(view)
        return len(view)

    def write(self, data: memoryview) -> int:  # type: ignore[override] # HDF5 hands in a memoryview
        """Write at the position."""
        view, at = memoryview(data).cast("B"), self._at
        written = 0
        while written < len(view):
            page, offset = divmod(at + written, _PAGE)
            part = view[written : written + _PAGE - offset]
            content = self._pages.setdefault(page, bytearray(_PAGE))
            content[offset : offset + len(part)] = part
            written += len(part)
        self._at += written
        self._size = max(self._size, self._at)
        return written

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file, by default to the position, and return it."""
        self._size = self._at if size is None else size
        return self._size

    def pieces(self) -> list[bytes | memoryview]:
        """Return the bytes of the file in consecutive pieces; the inserted arrays are among them, uncopied."""
        pieces: list[bytes | memoryview] = []
        at = 0
        for offset, array in self._inserted:
            pieces += [self._between(at, offset), array]
            at = offset + len(array)
        return [*pieces, self._between(at, self._size)]

    def _between(self, begin: int, end: int) -> bytes:
        """Return what HDF5 wrote from the offset `begin` to before `end`."""
        first = begin // _PAGE
        zeros = bytes(_PAGE)
        pages = [self._pages.get(page, zeros) for page in range(first, -(-end // _PAGE))]
        return b"".join(pages)[begin - first * _PAGE : end - first * _PAGE]
