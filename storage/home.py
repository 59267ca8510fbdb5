"""The home folder: making and checking it, its lock, and its stores by name."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

SCRATCH = ".tmp"
"""The folder of files that are being written."""

SCRATCH_S = 24 * 3600.0
"""How old a file there is that a process left behind when it was killed, seconds."""

LOCK_WAIT_S = 0.5
"""How long to wait for the lock, seconds: `lock_holder` takes it for an instant."""

PROBE_BYTES = 256 * 1024
"""How much the check of a home writes: about as much as the features of one file."""


class InUseError(UsageError):
    """Another process has locked the home."""


def prepare_home(folder: str) -> "Home":
    """Return the home in a folder, made where it does not exist, after trying there what the work does.

    Raises `UsageError` with the reason and the mend when something of that cannot be done.
    """
    path = Path(folder).absolute()
    with home_errors(path, "cannot be written"):
        path.mkdir(parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)
        scratch = path / SCRATCH
        scratch.mkdir(exist_ok=True)
        with suppress(OSError):  # of another user, who clears them away
            durable.unlink_older(scratch, than_s=SCRATCH_S, now_s=time.time())
        probe_home(path, scratch)
    return Home(path)


def probe_home(home: Path, folder: Path) -> None:
    """Write, flush, lock, rename and link a file in a folder of a home, as the work does; nothing is left there.

    Raises `OSError` when one cannot be written, `UsageError` when its file system does not do all of that.
    """
    first, second = durable.temporary_path(folder), durable.temporary_path(folder)
    try:
        # Only a real write shows it: a full disk and a read-only mount both pass every permission check.
        with first.open("xb") as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
            with lock_errors(home):
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        first.replace(second)
        try:
            first.hardlink_to(second)
        except OSError as error:
            raise UsageError(f"home {printable(str(home))}: {durable.link_reason(error)}") from error
    finally:
        with suppress(OSError):  # what kept them from being made is told
            first.unlink(missing_ok=True)
            second.unlink(missing_ok=True)


@contextmanager
def home_errors(home: Path, what: str) -> Iterator[None]:
    """Turn `OSError` into `UsageError` naming the home, the reason and the mend; `what` says what cannot be done."""
    try:
        yield
    except OSError as error:
        reason, mend = durable.reason_and_mend(_of_link(home) or error)
        mend = f"{mend}, or name" if mend else "name"
        raise UsageError(
            f"home {printable(str(home))}: {what} ({reason}); {mend} another folder with --home"
        ) from error


def _of_link(home: Path) -> OSError | None:
    """Return why a link in the place of a home leads nowhere, as to a disk that is not mounted; None for no such link.

    The system says only that there is something of that name.
    """
    try:
        if home.is_symlink():
            home.stat()
    except OSError as error:
        return error
    return None


@contextmanager
def lock_errors(home: Path) -> Iterator[None]:
    """Turn an `OSError` of a lock into `UsageError` naming the home, the reason and the mend.

    Not `BlockingIOError`, which says that another process has the lock.
    """
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        reason, mend = durable.reason_and_mend(error)
        if error.errno in durable.NOT_SUPPORTED:
            mend = "mount it with locks (NFS: without nolock, Lustre: with -o flock)"
            raise UsageError(
                f"home {printable(str(home))}: its file system has no locks ({reason}); {mend}, or name a folder on a "
                "local disk with --home"
            ) from error
        mend = f"{mend}, or name" if mend else "name"
        raise UsageError(
            f"home {printable(str(home))}: cannot be locked ({reason}); {mend} another folder with --home"
        ) from error


@contextmanager
def home_lock(home: Path, *, purpose: str = "", shared: bool = False) -> Iterator[None]:
    """Hold the lock of a home's folder; `purpose` is named to other processes that try to take it.

    Runs on a given broker hold it `shared`; one with a private broker holds it alone. Raises `InUseError` naming the
    holder when another process holds it, `UsageError` when there can be no lock. The kernel releases the lock when its
    process ends.
    """
    with home_errors(home, "cannot be locked"):
        # Without a buffer: on a full disk a holder without a name is better than none.
        lock = (home / LOCK).open("a+b", buffering=0)
    with lock:
        try:
            with lock_errors(home):
                _acquire(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except BlockingIOError as error:
            raise InUseError(
                f"home {printable(str(home))}: in use by {_holder(lock)}; wait for it, stop it, or name another --home"
            ) from error
        with suppress(OSError):
            lock.truncate(0)
            lock.write(f"process {os.getpid()}{f' ({purpose})' if purpose else ''}".encode())
        yield


def lock_holder(home: Path) -> str | None:
    """Return the process that holds a home's lock and its purpose, for people, or None when none does.

    None too where this cannot be known: where the lock cannot be read, or there are none.
    """
    path = home / LOCK
    try:
        # NFS gives a lock against all others only to who may write; who only reads sees no shared one.
        can_write = os.access(path, os.W_OK)
        with path.open("r+b" if can_write else "rb") as lock:
            try:
                fcntl.flock(lock, (fcntl.LOCK_EX if can_write else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(lock)
    except OSError:
        return None
    return None


def _acquire(lock: IO[bytes], kind: int) -> None:
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


def _holder(lock: IO[bytes]) -> str:
    lock.seek(0)
    return lock.read().decode("utf-8", "replace").strip() or "another process"


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
