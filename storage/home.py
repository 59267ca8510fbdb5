"""The home folder: making and checking it, its lock, and its stores by name."""

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
from storage import Champions, MemoryFeatureStore, ModelRegistry, RunLedger, durable
from storage.ledger.tracks import TrackLedger

if TYPE_CHECKING:
    from storage import FeatureStore

LOCK = ".lock"

LOCK_WAIT_S = 0.5
"""How long to wait for the lock, seconds: `lock_holder` takes it for an instant."""

PROBE_BYTES = 256 * 1024
"""How much the check of a home writes: about as much as the features of one file."""


class InUseError(UsageError):
    """Another process has locked the home."""


def prepare_home(folder: str) -> "Home":
    """Return the home in a folder, made where it does not exist. Raises `UsageError` when it cannot be written."""
    path = Path(folder).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)
        # Only a real write shows it: a full disk and a read-only mount both pass every permission check.
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UsageError(
            f"home {printable(str(path))}: cannot be written ({error.strerror}); "
            "free some space or name another folder with --home"
        ) from error
    return Home(path)


@contextmanager
def home_lock(home: Path, *, purpose: str = "", shared: bool = False) -> Iterator[None]:
    """Hold the lock of a home's folder; `purpose` is named to other processes that try to take it.

    Runs on a given broker hold it `shared`; one with a private broker holds it alone. Raises `InUseError` naming the
    holder when another process holds it. The kernel releases the lock when its process ends.
    """
    with (home / LOCK).open("a+") as lock:
        try:
            _acquire(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except BlockingIOError as error:
            raise InUseError(
                f"home {printable(str(home))}: in use by {_holder(lock)}; wait for it, stop it, or name another --home"
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}" + (f" ({purpose})" if purpose else ""))
        lock.flush()
        yield


def lock_holder(home: Path) -> str | None:
    """Return the process that holds a home's lock and its purpose, for people, or None when none does."""
    try:
        with (home / LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(lock)
            return None
    except FileNotFoundError:
        return None


def _acquire(lock: IO[str], kind: int) -> None:
    """Take the lock, waiting up to `LOCK_WAIT_S` for it. Raises `BlockingIOError`."""
    deadline = time.monotonic() + LOCK_WAIT_S
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
    """A home: its store, ledgers, models and champions, each opened when it is first used. No broker is needed."""

    def __init__(self, path: Path, *, for_reading: bool = False) -> None:
        """Take the home in a folder; of one that is `for_reading`, nothing is made, changed or tried out."""
        self.path = path
        self._for_reading = for_reading

    @cached_property
    def store(self) -> "FeatureStore":
        """The feature store of the home; an empty one where only reading is meant and there is none yet.

        Raises `UsageError` when it cannot be opened.
        """
        from storage import FileFeatureStore  # with h5py

        folder = self.path / "store"
        if not self._for_reading:
            return FileFeatureStore.open(folder)
        return FileFeatureStore.existing(folder) if _is_made(folder) else MemoryFeatureStore()

    @property
    def has_store(self) -> bool:
        """Whether the home has a feature store already."""
        return (self.path / "store").is_dir()

    @cached_property
    def tracks(self) -> TrackLedger:
        """The states of all files ever scanned."""
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
        """The history of the models that are and were the champion."""
        return Champions(self.path)


def _is_made(store: Path) -> bool:
    """Return whether there is something to read in the folder of a store, and not only a start that was interrupted.

    Raises `StoreError` when that cannot be known.
    """
    with durable.store_errors(store, "be listed"):
        return "store.json" in durable.names_in(store) or bool(durable.names_in(store / "manifest"))
