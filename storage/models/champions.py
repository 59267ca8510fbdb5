"""Which model of a home is the champion, and was: a history that is only ever added to.

models/champion/000001.json     the first champion, 000002.json the next; the one of the highest number counts
models/verdicts/v0002.json      whether a model became the champion when it was made, and why

An entry is published under the next number, which one process can do: of two that change the champion at once one is
first, and the other sees what it changed to before it says anything. Nothing is ever overwritten, so a reader sees
one champion or the next, and going back is another entry.
"""

import getpass
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.learning.evaluation.gate import Verdict
from pipeline.text import printable
from pipeline.wire import Value
from storage.documents import Documents

Action = Literal["first", "gate", "promote", "rollback"]

_FOLDER = "champion"


class Champion(Value, frozen=True, kw_only=True):
    """One entry of the history."""

    number: int
    """1, 2, ..."""
    version: str
    action: Action
    """`first`: the first model of the home; `gate`: it beat the one before; the others: somebody said so."""
    reason: str = ""
    back: int | None = None
    """The entry that a rollback from here leads to; None for none."""
    by: str = ""
    """Who said so: a user on a host, or the run that the model came from."""
    at: str
    """ISO 8601, UTC."""
    verdict: Verdict | None = None
    """What the gate found, where it was the gate."""


class Champions:
    """The champions of one home; safe from threads, processes and hosts, holds nothing open."""

    def __init__(self, home: Path) -> None:
        self._documents = Documents(home / "models")

    def current(self) -> Champion | None:
        """Return the champion, or None while there is none. Raises `StoreError` when it cannot be read."""
        names = self._documents.names(_FOLDER)
        return self._documents.read(names[-1], Champion) if names else None

    def history(self) -> list[Champion]:
        """Return every entry, oldest first."""
        return [self._documents.read(name, Champion) for name in self._documents.names(_FOLDER)]

    def follow(self, before: Champion | None, entry: Champion) -> Champion | None:
        """Make a model the champion after `before`; None when another one did so first, and nothing was changed.

        The entry's number, `back` (of anything but a rollback), `by` and `at` are filled in here.
        """
        back = entry.back if entry.action == "rollback" else before.number if before is not None else None
        written = entry.replace(
            number=before.number + 1 if before is not None else 1, back=back, by=entry.by or _who(), at=now()
        )
        return written if self._documents.publish(f"{_FOLDER}/{written.number:06d}", written) else None

    def promote(self, version: str, *, reason: str = "") -> Champion:
        """Make a version the champion because somebody says so; the one that is it already stays as it is."""
        while True:
            before = self.current()
            if before is not None and before.version == version:
                return before
            entry = Champion(number=0, version=version, action="promote", reason=reason, at="")
            if (written := self.follow(before, entry)) is not None:
                return written

    def before(self) -> Champion:
        """Return the entry that a rollback leads to now. Raises `UsageError` when there is none."""
        current = self.current()
        if current is None:
            raise UsageError("rollback: there is no champion yet; `chordal run LIBRARY` makes the first model")
        if current.back is None:
            raise UsageError(f"rollback: {current.version} is the first champion, there is none before it")
        return self._documents.read(f"{_FOLDER}/{current.back:06d}", Champion)

    def rollback(self, *, reason: str = "") -> Champion:
        """Make the champion before this one the champion again; again, the one before that.

        Raises `UsageError` when there is none before, or when the champion was changed just now: then whoever asked
        has seen another one than there is.
        """
        current = self.current()
        target = self.before()
        entry = Champion(number=0, version=target.version, action="rollback", reason=reason, back=target.back, at="")
        written = self.follow(current, entry)
        if written is None:
            now = self.current()
            raise UsageError(
                f"rollback: the champion became {now.version if now else 'none'} just now; "
                "look at `chordal models` and say it again if it shall go further back"
            )
        return written

    def put_verdict(self, verdict: Verdict) -> bool:
        """Say whether a model became the champion; the first to say so is believed."""
        return self._documents.publish(f"verdicts/{verdict.version}", verdict)

    def verdict(self, version: str) -> Verdict | None:
        """Return whether a model became the champion when it was made, or None when nobody decided.

        Raises `UsageError` for what cannot be a version.
        """
        found = self._documents.find(f"verdicts/{version}", Verdict)
        if found is not None:
            return found
        # Whoever promoted it may have died before it said so.
        entries = (entry for entry in self._of(version) if entry.verdict is not None)
        return next((entry.verdict for entry in entries), None)

    def _of(self, version: str) -> Iterator[Champion]:
        return (entry for entry in self.history() if entry.version == version)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "somebody"  # a container with a user that has no name
    return printable(f"{user} on {socket.gethostname()}")
