"""Which model of a home is and was the champion: an append-only history.

models/champion/000001.json     the first champion, 000002.json the next; the highest number is the current one
models/verdicts/v0002.json      whether a model became the champion when it was made, and why

An entry is published under the next number, which only one process can do: of two that change the champion at once the
second fails, and reads the new champion before it tries again. Nothing is overwritten, so a reader reads the old
champion or the new one, and a rollback is another entry.
"""

import getpass
import socket
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
    """`first`: the first model of the home; `gate`: it beat the one before; the others: by a user's command."""
    reason: str = ""
    back: int | None = None
    """The number of the entry that a rollback leads to; None for none."""
    by: str = ""
    """A user on a host, or the run that made the model."""
    at: str
    """ISO 8601, UTC."""
    verdict: Verdict | None = None
    """The verdict of the gate; None for other actions."""


class Champions:
    """The champions of one home; safe from threads, processes and hosts, holds no open file."""

    def __init__(self, home: Path) -> None:
        self._documents = Documents(home / "models")

    def current(self) -> Champion | None:
        """Return the champion, or None while there is none. Raises `StoreError` when it cannot be read."""
        names = self._documents.names(_FOLDER)
        return self._documents.read(names[-1], Champion) if names else None

    def history(self) -> list[Champion]:
        """Return every entry, oldest first."""
        return [self._documents.read(name, Champion) for name in self._documents.names(_FOLDER)]

    def append(self, before: Champion | None, entry: Champion) -> Champion | None:
        """Make a model the champion after `before`; None, and no change, when `before` is not the current one.

        The entry's number, `back` (of anything but a rollback), `by` and `at` are filled in here.
        """
        back = entry.back if entry.action == "rollback" else before.number if before is not None else None
        written = entry.replace(
            number=before.number + 1 if before is not None else 1, back=back, by=entry.by or _user_and_host(), at=now()
        )
        return written if self._documents.publish(f"{_FOLDER}/{written.number:06d}", written) else None

    def promote(self, version: str, *, reason: str = "") -> Champion:
        """Make a version the champion by a user's command; return the current entry when it is the champion already."""
        while True:
            before = self.current()
            if before is not None and before.version == version:
                return before
            entry = Champion(number=0, version=version, action="promote", reason=reason, at="")
            if (written := self.append(before, entry)) is not None:
                return written

    def rollback_target(self) -> Champion:
        """Return the entry that a rollback leads to now. Raises `UsageError` when there is none."""
        current = self.current()
        if current is None:
            raise UsageError("rollback: there is no champion yet; `chordal run LIBRARY` makes the first model")
        if current.back is None:
            raise UsageError(f"rollback: {current.version} is the first champion, there is none before it")
        return self._documents.read(f"{_FOLDER}/{current.back:06d}", Champion)

    def rollback(self, *, reason: str = "") -> Champion:
        """Make the champion before this one the champion again; a second rollback leads to the one before that.

        Raises `UsageError` when there is none before, or when another process changed the champion meanwhile, as then
        the user meant another one.
        """
        current = self.current()
        target = self.rollback_target()
        entry = Champion(number=0, version=target.version, action="rollback", reason=reason, back=target.back, at="")
        written = self.append(current, entry)
        if written is None:
            now = self.current()
            raise UsageError(
                f"rollback: the champion became {now.version if now else 'none'} just now; "
                "look at `chordal models` and say it again if it shall go further back"
            )
        return written

    def put_verdict(self, verdict: Verdict) -> bool:
        """Write whether a model became the champion, and why; the first verdict stays."""
        return self._documents.publish(f"verdicts/{verdict.version}", verdict)

    def verdicts(self) -> list[Verdict]:
        """Return all verdicts, in the order of the models; also of models that were deleted since."""
        return [self._documents.read(name, Verdict) for name in self._documents.names("verdicts")]

    def verdict(self, version: str) -> Verdict | None:
        """Return whether a model became the champion when it was made, and why; None when that was not decided.

        Raises `UsageError` for an invalid version.
        """
        verdict = self._documents.find(f"verdicts/{version}", Verdict)
        if verdict is not None:
            return verdict
        # A process that promoted it may have died before it wrote the verdict.
        entries = (entry for entry in self.history() if entry.version == version and entry.verdict is not None)
        return next((entry.verdict for entry in entries), None)


def _user_and_host() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "somebody"  # a container whose user has no name
    return printable(f"{user} on {socket.gethostname()}")
