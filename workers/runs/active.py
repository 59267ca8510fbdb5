"""Which runs go on in a home, and with which broker: a small file per run, locked for as long as its command lives.

The lock is the kernel's and goes with its process, so a file that nobody holds is left from a command that was killed.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value
from workers.broker.address import BrokerAddress

FOLDER = "going"


class ActiveRun(Value, frozen=True, kw_only=True):
    """A run that goes on."""

    run_id: str
    broker: BrokerAddress | None = None
    """None until it is up."""


class Announcement:
    """The file that says a run goes on; owned by the command that waits for it."""

    def __init__(self, file: IO[bytes], run_id: str) -> None:
        self._file = file
        self._run_id = run_id
        self._write(ActiveRun(run_id=run_id))

    def reached_by(self, broker: BrokerAddress) -> None:
        """Say which broker the run uses."""
        self._write(ActiveRun(run_id=self._run_id, broker=broker))

    def _write(self, going: ActiveRun) -> None:
        data = json.dumps(going.to_wire()).encode("ascii")
        self._file.seek(0)
        self._file.write(data)
        self._file.truncate()
        self._file.flush()


@contextmanager
def announce(home: Path, run_id: str) -> Iterator[Announcement]:
    """Say that a run goes on for as long as the context lasts."""
    folder = home / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{run_id}.json"
    # Named when it is locked: nobody may take it for one that was left behind. Private: an address has a password.
    unnamed = folder / f".{run_id}"
    with open(unnamed, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        announcement = Announcement(file, run_id)
        unnamed.rename(path)
        try:
            yield announcement
        finally:
            path.unlink(missing_ok=True)


def active_runs(home: Path) -> list[ActiveRun]:
    """Return the runs that go on in a home, oldest first; what a killed command left behind is swept up."""
    found = []
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            with path.open("rb") as file:
                if _is_held(file):
                    found.append(ActiveRun.from_wire(json.loads(file.read() or b"{}")))
                else:
                    path.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue  # ended, or is being written, just now
    return found


def pick_active_run(home: Path, run_id: str | None) -> ActiveRun:
    """Return the run asked for, or the only one that goes on.

    Raises `UsageError` when there is none, or more than one to choose from.
    """
    found = [each for each in active_runs(home) if run_id in (None, each.run_id)]
    if not found:
        what = "no run is going on here" if run_id is None else f"run {printable(run_id)} is not going on here"
        raise UsageError(f"home {printable(str(home))}: {what}; --home names another, --broker a broker of your own")
    if len(found) > 1:
        ids = ", ".join(each.run_id for each in found)
        raise UsageError(f"home {printable(str(home))}: {len(found)} runs are going on; name one of {ids}")
    return found[0]


def _is_held(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
