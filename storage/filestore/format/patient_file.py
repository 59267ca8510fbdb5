"""A file that HDF5 writes and whose errors it does not see: HDF5 ends the process when it cannot flush what it closes.

On a full or broken disk the first error is kept, what is written after it is dropped, and whoever writes the file asks
for the error before relying on it.
"""

from pathlib import Path


class PatientFile:
    """A new file with the methods that h5py asks of a file object. Raises `OSError` when it cannot be made."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b", buffering=0)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first `OSError` that the file met, if there was one."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Close the file; more than once is fine."""
        self._file.close()

    def write(self, data: bytes) -> int:
        """Write where the file stands; pretend to, once it has failed."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self._error is None:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                self._error = error
        return size

    def read(self, size: int) -> bytes:
        """Return what `readinto` would fill a buffer of that size with."""
        buffer = bytearray(size)
        self.readinto(buffer)
        return bytes(buffer)

    def readinto(self, buffer: bytearray) -> int:
        """Fill a buffer from where the file stands; with zeros, once it has failed."""
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
        """Go somewhere in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where the file stands."""
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        """Make the file that long."""
        try:
            if self._error is None:
                return self._file.truncate(size)
        except OSError as error:
            self._error = error
        return size or 0

    def flush(self) -> None:
        """Do nothing: there is no buffer, and what has to be on the disk is flushed by `durable`."""
