"""A file object that hides write errors from HDF5, which aborts the process when it cannot flush a file it closes.

The first error is kept and what is written after it is dropped; whoever writes the file calls `check`, which raises
that error, before relying on it.
"""

from pathlib import Path


class DeferredErrorFile:
    """A new file with the methods that h5py needs of a file object. Raises `OSError` when it cannot be made."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b", buffering=0)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first `OSError` of reading or writing the file, if there was one."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Close the file; more than once is fine."""
        self._file.close()

    def write(self, data: bytes) -> int:
        """Write at the position and return the size of `data`; drop it once the file has failed."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self._error is None:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                self._error = error
        return size

    def read(self, size: int) -> bytes:
        """Return `size` bytes from the position, filled up with zeros like `readinto`."""
        buffer = bytearray(size)
        self.readinto(buffer)
        return bytes(buffer)

    def readinto(self, buffer: bytearray) -> int:
        """Fill a buffer from the position; with zeros where the file ends or has failed."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._error is None:
            try:
                more = self._file.readinto(view[done:])
            except OSError as error:
                self._error = error
                break
            if not more:
                break
            done += more
        view[done:] = bytes(len(view) - done)
        return len(view)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position and return it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file in bytes and return it."""
        try:
            if self._error is None:
                return self._file.truncate(size)
        except OSError as error:
            self._error = error
        return size or 0

    def flush(self) -> None:
        """Do nothing: the file is unbuffered, and `durable.sync` flushes it to the disk."""
