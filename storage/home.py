"""The home folder: made, checked and locked before anything is done in it."""

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.text import printable
from storage import Champions, ModelRegistry, RunLedger
from storage.ledger.tracks import TrackLedger

if TYPE_CHECKING:
    from storage import FileFeatureStore

LOCK = ".lock"

LOOK_S = 0.5
"""How long a look at the lock may keep it."""

PROBE_BYTES = 256 * 1024
"""What the check writes: about as much as the features of one file."""


class InUseError(UsageError):
    """Somebody else works in the home."""


def prepare_home(folder: str) -> "Home":
    """Return the home in a folder, made if need be and known to be writable.

    Raises `UsageError` when it cannot be.
    """
    path = Path(folder).expanduser().absolute()
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
    return Home(path)


@contextmanager
def only_one(home: Path, *, doing: str = "", shared: bool = False) -> Iterator[None]:
    """Hold the home's lock while a run goes on; `doing` is told to whoever asks for it meanwhile.

    Runs that work for a given broker share it with each other; one with a private broker has the home for itself.
    Raises `InUseError` when another run holds it. The lock is the kernel's: it goes when its process ends.
    """
    with (home / LOCK).open("a+") as lock:
        try:
            _take(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except BlockingIOError as error:
            raise InUseError(
                f"home {printable(str(home))}: in use by {_holder(lock)}; wait for it, stop it, or name another --home"
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}" + (f" ({doing})" if doing else ""))
        lock.flush()
        yield


def holder(home: Path) -> str | None:
    """Return who holds the home's lock, or None when nobody does."""
    try:
        with (home / LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(lock)
            return None
    except FileNotFoundError:
        return None


def _take(lock: IO[str], kind: int) -> None:
    """Take the lock, outwaiting whoever only looks at it. Raises `BlockingIOError`."""
    deadline = time.monotonic() + LOOK_S
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            pause.wait(0.02)
        else:
            return


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip() or "another process"


class Home:
    """A home: its store, ledgers, models and champions, each opened when it is first needed. No broker is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def store(self) -> "FileFeatureStore":
        """The feature store of the home."""
        from storage import FileFeatureStore  # with h5py

        return FileFeatureStore.open(self.path / "store")

    @property
    def has_store(self) -> bool:
        """Whether the home has a feature store already."""
        return (self.path / "store").is_dir()

    @cached_property
    def tracks(self) -> TrackLedger:
        """What became of every file ever scanned."""
        return TrackLedger(self.store, self.ledger)

    @cached_property
    def ledger(self) -> RunLedger:
        """The ledger of runs and trials."""
        return RunLedger(self.path)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The registered models."""
        return ModelRegistry(self.path)

    @cached_property
    def champions(self) -> Champions:
        """Which of them is the champion, and was."""
        return Champions(self.path)
