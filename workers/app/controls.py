"""Controls of a home's workers that may change while runs go on: pause, niceness, a limit on files, allowed hours.

One document in the home, which every worker of the home reads every few seconds. It is not kept in the broker: a broker
may lose what it holds, and an embedded one ends with its run, but "at night only" holds for the next run too.
"""

import re
from datetime import time
from pathlib import Path
from typing import Literal

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value
from storage.documents import Documents

NAME = "controls"

_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")

Io = Literal["normal", "idle"]


class Controls(Value, frozen=True, kw_only=True):
    """The controls of a home, as stored in `controls.json`."""

    paused: bool = False
    """Nothing new is started."""
    nice: int = 0
    """Added to the niceness that the worker itself has, 0 to 19, as `nice -n` does."""
    io: Io = "normal"
    """Whether the disk is used only when nobody else wants it."""
    files_per_minute: int | None = None
    """How many files all workers together may start in a minute; None for no limit."""
    hours: str | None = None
    """When work may be started, in each worker's local time, as `22:00-06:00`; None for always."""


def parse_hours(text: str) -> str:
    """Return allowed hours in their canonical form, `22:00-06:00`.

    Raises `UsageError` for what is no period of a day.
    """
    start, end = _times(text)
    if start == end:
        raise UsageError(f"hours {printable(text)}: they begin when they end; give two times such as 22:00-06:00")
    return f"{start:%H:%M}-{end:%H:%M}"


def hold_reason(controls: Controls, now: time) -> str:
    """Return why nothing may be started at a local time of day; empty when work may go on."""
    if controls.paused:
        return "paused"
    if controls.hours is not None and not _within(controls.hours, now):
        return f"outside the hours {controls.hours}"
    return ""


def describe(controls: Controls) -> str:
    """Return the controls in words, for people."""
    words = ["paused"] if controls.paused else []
    words += [f"nice {controls.nice}"] if controls.nice else []
    words += ["disk when idle"] if controls.io == "idle" else []
    words += [f"at most {controls.files_per_minute} files a minute"] if controls.files_per_minute is not None else []
    words += [f"within {controls.hours}"] if controls.hours is not None else []
    return ", ".join(words) or "none"


def load(home: Path) -> Controls:
    """Return the controls of a home. Raises `StoreError` when they cannot be read."""
    return Documents(home).find(NAME, Controls) or Controls()


def save(home: Path, controls: Controls) -> None:
    """Replace the controls of a home; its workers follow within seconds. Raises `StoreError`."""
    Documents(home).replace(NAME, controls)


def _within(hours: str, now: time) -> bool:
    start, end = _times(hours)
    if start < end:
        return start <= now < end
    return now >= start or now < end


def _times(text: str) -> tuple[time, time]:
    match = _HOURS.fullmatch(text.strip())
    # 99 is no hour: what has not even the form of a period is refused with what has it but is none.
    start_h, start_min, end_h, end_min = map(int, match.groups()) if match else (99, 0, 99, 0)
    try:
        midnight = (end_h, end_min) == (24, 0)
        return time(start_h, start_min), time(0 if midnight else end_h, end_min)
    except ValueError as error:
        raise UsageError(f"hours {printable(text)}: not a period; give two times such as 22:00-06:00") from error
