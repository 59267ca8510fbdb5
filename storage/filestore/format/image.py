"""A small HDF5 file that is built in memory around large arrays, which are not copied into it."""

import bisect
import io

import numpy as np

_PAGE = 4096


class Image(io.RawIOBase):
    """What HDF5's file-object driver writes to: its own structures in pages, large arrays as they are.

    Memory follows the structures alone; rows that lie in a mapped file stay there until they are written out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[int, bytearray] = {}
        self._laid: list[tuple[int, memoryview]] = []
        self._at = 0
        self._size = 0

    def lay(self, offset: int, array: np.ndarray) -> None:
        """Put an array, C-contiguous, at its place in the file."""
        bisect.insort(self._laid, (offset, array.reshape(-1).view(np.uint8).data), key=lambda laid: laid[0])

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place; from the start or the end only."""
        self._at = offset + (self._size if whence == io.SEEK_END else 0)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # HDF5 hands in a memoryview
        """Read what HDF5 wrote, zeros where it wrote nothing."""
        view = memoryview(buffer).cast("B")
        view[:] = self._between(self._at, self._at + len(view))
        self._at += len(view)
        return len(view)

    def write(self, data: memoryview) -> int:  # type: ignore[override] # HDF5 hands in a memoryview
        """Write at the place."""
        view, at = memoryview(data).cast("B"), self._at
        written = 0
        while written < len(view):
            page, offset = divmod(at + written, _PAGE)
            part = view[written : written + _PAGE - offset]
            held = self._pages.setdefault(page, bytearray(_PAGE))
            held[offset : offset + len(part)] = part
            written += len(part)
        self._at += written
        self._size = max(self._size, self._at)
        return written

    def truncate(self, size: int | None = None) -> int:
        """Set how long the file is."""
        self._size = self._at if size is None else size
        return self._size

    def pieces(self) -> list[bytes | memoryview]:
        """Return the file, piece by piece."""
        found: list[bytes | memoryview] = []
        at = 0
        for offset, array in self._laid:
            found += [self._between(at, offset), array]
            at = offset + len(array)
        return [*found, self._between(at, self._size)]

    def _between(self, begin: int, end: int) -> bytes:
        """Return what HDF5 wrote from one place to before another."""
        first = begin // _PAGE
        nothing = bytes(_PAGE)
        pages = [self._pages.get(page, nothing) for page in range(first, -(-end // _PAGE))]
        return b"".join(pages)[begin - first * _PAGE : end - first * _PAGE]
