"""The file as FFmpeg may read it: these bytes, and nothing that they name."""

import os

from pipeline.text import printable

_MAX_OFFSET = 2**62


class FileBytes:
    """The file object that FFmpeg reads: without a name or a descriptor, and a seek out of bounds is no error."""

    def __init__(self, descriptor: int, start: int, end: int | None) -> None:
        self._descriptor = descriptor
        self._start = start
        self._end = end
        self._at = 0
        self.error: OSError | None = None
        """What the system refused."""

    def read(self, size: int) -> bytes:
        """Return the next bytes, so many at most; none at the end, and where the system refused."""
        if self._end is not None:
            size = max(0, min(size, self._end - self._start - self._at))
        try:
            data = os.pread(self._descriptor, size, self._start + self._at)
        except OSError as error:
            self.error = error
            return b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int) -> int:
        """Go to a place as `os.lseek` does, and return it; -1 for one that there is not."""
        end = os.fstat(self._descriptor).st_size if self._end is None else self._end
        start = (0, self._at, end - self._start)[whence]
        if not 0 <= start + offset <= _MAX_OFFSET:
            return -1
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at


def refuse(url: str, _flags: int, _options: dict[str, str]) -> None:
    """Open nothing that a file names: neither other files nor hosts."""
    raise PermissionError(f"a file that refers to {printable(url)}")
