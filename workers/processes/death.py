"""Why a process died: its status or signal, and the line of its log that says more."""

import re
import signal
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ChordalError, UsageError
from pipeline.text import printable
from pipeline.wire import Value

TAIL_BYTES = 64 * 1024
"""How much of a log's end is read."""

LINE_LENGTH = 400
"""How much of a line is shown, characters."""

MISUSE = 2
"""The exit status of a command that was asked for what cannot be."""

OWN = "chordal: "
"""How the line begins that ends a command of ours."""

_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+ (?:\S+ )??(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):? ")
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@")
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


class Death(Value, frozen=True, kw_only=True):
    """How a process ended that should have gone on."""

    name: str
    log: str
    """The path of its log."""
    reason: str
    """In one line: the error it ended with, else its signal or its exit status."""
    was_ready: bool
    """Whether it was ready before."""
    is_misuse: bool = False
    """Whether it ended because it was asked for what cannot be."""
    is_kill: bool = False
    """Whether it was killed by a SIGKILL, which leaves no line in any log."""

    @property
    def is_of_broker(self) -> bool:
        """Whether it ended because its broker was away or refused it."""
        return self.reason.startswith("broker ")

    def resembles(self, other: "Death | None") -> bool:
        """Tell whether another process died the same way: for the same reason, but for numbers in it."""
        return other is not None and _NUMBER.sub("#", self.reason) == _NUMBER.sub("#", other.reason)

    def describe(self) -> str:
        """Return the reason and the log, for the line that ends a command."""
        guess = ": out of memory?" if self.is_kill else ""
        return f"({self.reason}{guess}); see {printable(self.log)}"

    def error(self, what: str) -> ChordalError:
        """Return the error that says `what` came of the death, and why: a `UsageError` for misuse."""
        text = f"{what} {self.describe()}"
        return UsageError(text) if self.is_misuse else ChordalError(text)


def death_of(name: str, status: int, log: Path, *, log_start: int = 0, was_ready: bool) -> Death:
    """Return how a process ended.

    `status` is as `subprocess` has it: negative for a signal. Its own lines in the log begin at byte `log_start`.
    """
    lines = tail(log, log_start)
    own = status >= 0 and any(line.startswith(OWN) for line in lines)
    return Death(
        name=name,
        log=str(log),
        reason=_reason(status, lines),
        was_ready=was_ready,
        is_misuse=own and status == MISUSE,
        is_kill=status == -signal.SIGKILL,
    )


def tail(log: Path, start: int = 0) -> list[str]:
    """Return the last lines of a log, from byte `start` on, but empty ones; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            # It is shorter when it was put aside since.
            file.seek(max(start if start <= size else 0, size - TAIL_BYTES))
            text = file.read(TAIL_BYTES)
    except OSError:
        return []
    return [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]


def last_line(lines: Sequence[str]) -> str:
    """Return the line of a log's end that says most of why its process ended; empty where there is none.

    It is the last line with which a command of ours ends, else the exception of the last traceback, else the last line.
    """
    own = [line.removeprefix(OWN) for line in lines if line.startswith(OWN)]
    return _shortened(own[-1]) if own else last_exception(lines) or _shortened(lines[-1] if lines else "")


def last_exception(lines: Sequence[str]) -> str:
    """Return the line of a log's end that names the last exception; empty where there is none."""
    return _shortened(_last_exception(lines))


def _reason(status: int, lines: Sequence[str]) -> str:
    if status == -signal.SIGKILL:
        return "killed by SIGKILL"  # it had no time to say anything
    if status < 0:
        said = last_exception(lines)
        return f"killed by {_signal_name(-status)}" + (f": {said}" if said else "")
    if status == 0:
        return "it ended by itself"
    own = any(line.startswith(OWN) for line in lines)
    said = last_line(lines)
    if own or _last_exception(lines):
        return said
    return f"exit status {status}" + (f": {said}" if said else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # one without a name, as the real-time ones


def _last_exception(lines: Sequence[str]) -> str:
    """Return the line that names the exception of the last traceback, or the fatal error of the interpreter."""
    found = ""
    within = False
    for line in lines:
        if line.startswith("Fatal Python error"):
            found, within = line, False
        elif "Traceback (most recent call last)" in line:
            within = True
        elif within and line.lstrip("| ") and not line.startswith((" ", "\t")):
            found, within = line, False
    return found


def _shortened(line: str) -> str:
    text = printable(" ".join(_PASSWORD.sub(r"\1:***@", _STAMP.sub("", line)).split()))
    return text if len(text) <= LINE_LENGTH else f"{text[: LINE_LENGTH - 1]}…"
