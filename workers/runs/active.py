"""The active runs of a home, and the broker of each: a small file per run, locked for as long as its command lives.

The lock is the kernel's and goes with its process, so a file that nobody holds is left from a command that was killed;
the next run removes it.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value
from storage.home import Home, home_errors, lock_errors
from workers.broker.address import BrokerAddress

FOLDER = "going"


class ActiveRun(Value, frozen=True, kw_only=True):
    """A run whose command lives."""

    run_id: str
    broker: BrokerAddress | None = None
    """None until it is up."""


class Announcement:
    """The file of an active run; owned by the command that waits for it."""

    def __init__(self, file: IO[bytes], run_id: str) -> None:
        self._file = file
        self._run_id = run_id
        self._write(ActiveRun(run_id=run_id))

    def set_broker(self, broker: BrokerAddress) -> None:
        """Write down which broker the run uses."""
        self._write(ActiveRun(run_id=self._run_id, broker=broker))

    def _write(self, run: ActiveRun) -> None:
        data = json.dumps(run.to_wire()).encode("ascii")
        self._file.seek(0)
        self._file.write(data)
        self._file.truncate()
        self._file.flush()


@contextmanager
def announce(home: Home, run_id: str) -> Iterator[Announcement]:
    """List a run among the active ones for as long as the context lasts."""
    folder = home.path / FOLDER
    with home_errors(home.path, "cannot be written"):
        folder.mkdir(exist_ok=True)
    _remove_left_behind(folder)
    path = folder / f"{run_id}.json"
    # Named when it is locked: nobody may take it for one that was left behind. Private: an address has a password.
    unnamed = folder / f".{run_id}"
    with open(unnamed, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        with lock_errors(home.path):
            fcntl.flock(file, fcntl.LOCK_EX)
        announcement = Announcement(file, run_id)
        unnamed.rename(path)
        try:
            yield announcement
        finally:
            path.unlink(missing_ok=True)


def active_runs(home: Home) -> list[ActiveRun]:
    """Return the active runs of a home that may be read, oldest first; changes nothing."""
    runs = []
    for path in sorted((home.path / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError):  # it ended, or is being written, just now, or is another user's
            runs += [run] if (run := _read(path)) is not None else []
    return runs


def broker_of(home: Home, run_id: str) -> BrokerAddress | None:
    """Return the broker of an active run; None when it is not active, or has none yet.

    Raises `OSError` when another user's run cannot be asked, `ValueError` when its file is damaged.
    """
    try:
        run = _read(home.path / FOLDER / f"{run_id}.json")
    except FileNotFoundError:
        return None
    return run.broker if run is not None else None


def pick_active_run(home: Home, run_id: str | None) -> ActiveRun:
    """Return the active run of an id, or the only one there is.

    Raises `UsageError` when there is none, or more than one to choose from.
    """
    runs = [each for each in active_runs(home) if run_id in (None, each.run_id)]
    shown = printable(str(home.path))
    if not runs:
        what = "no run is going on here" if run_id is None else f"run {printable(run_id)} is not going on here"
        raise UsageError(f"home {shown}: {what}; --home names another, --broker a broker of your own")
    if len(runs) > 1:
        ids = ", ".join(each.run_id for each in runs)
        raise UsageError(f"home {shown}: {len(runs)} runs are going on; name one of {ids}")
    return runs[0]


def _read(path: Path) -> ActiveRun | None:
    """Return what a run's file says; None when nobody holds it. Raises `OSError` or `ValueError`."""
    with path.open("rb") as file:
        return ActiveRun.from_wire(json.loads(file.read() or b"{}")) if _is_locked(file) else None


def _remove_left_behind(folder: Path) -> None:
    """Remove the files of commands that were killed."""
    for path in folder.glob("*.json"):
        with suppress(OSError), path.open("rb") as file:
            if not _is_locked(file):
                path.unlink()


def _is_locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
