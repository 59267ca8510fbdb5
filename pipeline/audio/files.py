"""Open a file of the library: any name, only regular files, every refusal of the system as one of our errors."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from pipeline.errors import ChordalError, MissingError, TransientError, UnreadableError
from pipeline.text import printable

# What a network folder or a loaded host may answer once and not again.
_TRANSIENT = frozenset(
    {
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EINTR,
        errno.EAGAIN,
        errno.ENOSPC,
    }
)


def open_file(path: str) -> FileIO:
    """Open a regular file for reading; `path` may hold undecodable bytes as surrogates (`os.fsdecode`).

    Raises `MissingError` when it is not there, `UnreadableError` when it may not be read or is no regular file,
    `TransientError` when the system may answer better next time.
    """
    with system_errors(path):
        # Without O_NONBLOCK the open of a named pipe would wait for a writer for ever.
        descriptor = os.open(os.fsencode(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        file = os.fdopen(descriptor, "rb", buffering=0)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return file
        file.close()
        raise UnreadableError(f"{printable(path)}: not a regular file")


@contextmanager
def open_for_reading(path: str) -> Iterator[FileIO]:
    """Open a file as `open_file` does; errors of the reads inside the block are raised in the same way."""
    with open_file(path) as file, system_errors(path):
        yield file


@contextmanager
def system_errors(path: str) -> Iterator[None]:
    """Raise what the system refuses inside the block as an error of ours that names the file."""
    try:
        yield
    except ChordalError:  # MissingError is an OSError too
        raise
    except OSError as error:
        raise _error_of(error, path) from error


def _error_of(error: OSError, path: str) -> MissingError | UnreadableError | TransientError:
    """Return the error of ours that says what the system's error means for the file."""
    message = f"{printable(path)}: {(error.strerror or str(error)).lower()}"
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return MissingError(message)
    if error.errno in _TRANSIENT:
        return TransientError(message)
    return UnreadableError(message)
