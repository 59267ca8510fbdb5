"""Open a file of the library: any name, only regular files, every refusal of the system as one of our errors."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from pipeline.errors import ChordalError, MissingError, TransientError, UnreadableError
from pipeline.text import printable

# What a shared folder or a crowded host may answer once and not again.
_PASSING = frozenset(
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
def opened(path: str) -> Iterator[FileIO]:
    """Open a file as `open_file` does, and tell errors of the reads inside the block in the same way."""
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
        raise _ours(error, path) from error


def _ours(error: OSError, path: str) -> MissingError | UnreadableError | TransientError:
    """Return the error of ours that says what the system's error means for the file."""
    told = f"{printable(path)}: {(error.strerror or str(error)).lower()}"
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return MissingError(told)
    if error.errno in _PASSING:
        return TransientError(told)
    return UnreadableError(told)
