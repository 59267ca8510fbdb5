"""The home folder: made, checked and locked before anything is done in it."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.tracks import printable

PROBE_BYTES = 256 * 1024
"""What the check writes: about as much as the features of one file."""


def prepare_home(home: str) -> Path:
    """Return the absolute home folder, made if need be and known to be writable.

    Raises `UsageError` when it cannot be.
    """
    path = Path(home).expanduser().absolute()
    shown = printable(str(path))
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)
        # Only a real write tells: a full disk and a read-only mount both pass every permission check.
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UsageError(
            f"home {shown}: cannot be written ({error.strerror}); free some space or name another folder with --home"
        ) from error
    return path


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the home's lock while a run goes on.

    Raises `UsageError` when another run holds it. The lock is the kernel's: it goes when its process ends.
    """
    with (home / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise UsageError(
                f"home {printable(str(home))}: in use by {holder}; wait for it, stop it, or name another --home"
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield
