"""When what recurs is due: the nightly run, the healing of runs that nobody waits for, tidying up.

    <home>/schedule.json                        what was asked for
    <home>/nightly/<slot>/attempt-1.json        who began the night, and the run it became
    <home>/nightly/<slot>/result.json           what came of it
    <home>/nightly/tidied.json                  the last time the store was tidied up

A *slot* is the moment a night is due. Both documents of a night are published by exactly one process, so it does not
matter how often a task for it is sent, or by how many schedulers. Pure functions decide what is due.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.text import printable
from pipeline.wire import Value
from storage import Documents

LOCK_FOLDER = "nightly"
"""The folder in which whoever conducts holds a lock."""


class Schedule(Value, frozen=True, kw_only=True):
    """What recurs in a home, as stored in `schedule.json`."""

    nightly: str | None = None
    """Cron expression of five fields; None for no nightly run."""
    timezone: str = "UTC"
    """IANA name."""
    missed: Literal["run", "skip"] = "run"
    """What becomes of a night whose hour passed while nothing was up."""
    since: str
    """ISO 8601: nights before this were never asked for."""
    libraries: tuple[str, ...] = ()
    recipe: str = "default"
    """A recipe's name, or the absolute path of its file, which is read anew each night."""
    labels: str = "folder"
    groups: str | None = None
    folds: str | None = None
    seed: int = 1
    trials: int | None = None
    tracking: str | None = None
    """Address of the MLflow that is told of each night; None tells nobody."""
    max_duration_s: float = 4 * 3600.0
    reconcile_s: float = 300.0
    """Seconds between two looks for a run that nobody waits for."""


class Attempt(Value, frozen=True, kw_only=True):
    """Who began a night, and the run it became."""

    run_id: str
    host: str
    pid: int
    started: str
    """ISO 8601, UTC."""


class NightResult(Value, frozen=True, kw_only=True):
    """What came of a night."""

    slot: str
    """When it was due, ISO 8601, UTC."""
    state: Literal["finished", "failed", "skipped"]
    run_id: str | None = None
    model: str | None = None
    test_accuracy: float | None = None
    verdict: Literal["", "promoted", "kept"] = ""
    """Whether its model became the champion."""
    verdict_reason: str = ""
    champion: str | None = None
    """The champion when the night was over."""
    tracks: dict[str, int] = {}
    reason: str = ""
    """Why it failed or was skipped."""
    started: str | None = None
    ended: str
    """ISO 8601, UTC."""


class Tidied(Value, frozen=True, kw_only=True):
    """The last time the store was tidied up."""

    ended: str
    compaction: str
    segments: int
    removed: int
    """Files that nobody referred to."""


class Nights:
    """The schedule of a home and the records of its nights; safe from threads and processes, holds nothing open."""

    def __init__(self, home: Path) -> None:
        self._home = Documents(home, scratch="nightly/.tmp")

    def schedule(self) -> Schedule | None:
        """Return what was asked for, or None when nobody asked for anything."""
        return self._home.find("schedule", Schedule)

    def ask_for(self, schedule: Schedule) -> None:
        """Write what recurs from now on."""
        self._home.replace("schedule", schedule)

    def begin(self, slot: datetime, number: int, attempt: Attempt) -> bool:
        """Begin a night for the `number`th time, counted from 1; of all processes exactly one gets True."""
        return self._home.publish(f"nightly/{_name(slot)}/attempt-{number}", attempt)

    def attempts(self, slot: datetime) -> list[Attempt]:
        """Return who began a night, first attempt first."""
        names = [name for name in self._home.names(f"nightly/{_name(slot)}") if "/attempt-" in name]
        return [self._home.read(name, Attempt) for name in names]

    def settle(self, slot: datetime, result: NightResult) -> bool:
        """Say what came of a night; the first to say so is believed."""
        return self._home.publish(f"nightly/{_name(slot)}/result", result)

    def result(self, slot: datetime) -> NightResult | None:
        """Return what came of a night, or None while it is not known."""
        return self._home.find(f"nightly/{_name(slot)}/result", NightResult)

    def results(self, *, last: int) -> list[NightResult]:
        """Return what came of the newest nights, newest first."""
        found: list[NightResult] = []
        for slot in self._slots():
            if (result := self.result(slot)) is not None:
                found.append(result)
            if len(found) == last:
                break
        return found

    def settled(self, now: datetime) -> datetime | None:
        """Return the slot of the newest night with a result; those to come were of a clock that was ahead."""
        return next((slot for slot in self._slots() if slot <= now and self.result(slot) is not None), None)

    def unsettled(self) -> datetime | None:
        """Return the slot of the newest night that was begun and has no result, if no later one has any."""
        newest = next(iter(self._slots()), None)
        return newest if newest is not None and self.result(newest) is None else None

    def tidied(self) -> Tidied | None:
        """Return when the store was last tidied up."""
        return self._home.find("nightly/tidied", Tidied)

    def put_tidied(self, tidied: Tidied) -> None:
        """Say that the store was tidied up."""
        self._home.replace("nightly/tidied", tidied)

    def _slots(self) -> list[datetime]:
        """Return the slots of all nights that were begun or settled, newest first."""
        folder = self._home.root / "nightly"
        names = (path.name for path in folder.glob("*Z") if path.is_dir())
        return sorted((datetime.strptime(name, _SLOT).replace(tzinfo=UTC) for name in names), reverse=True)


_SLOT = "%Y%m%dT%H%M%SZ"


def _name(slot: datetime) -> str:
    return slot.astimezone(UTC).strftime(_SLOT)


def describe_night(result: NightResult) -> str:
    """Return what came of a night, for people."""
    if result.state != "finished":
        return f"{result.state}: {printable(result.reason)}"
    counts = ", ".join(f"{count} {name}" for name, count in result.tracks.items())
    accuracy = "" if result.test_accuracy is None else f", accuracy {result.test_accuracy:.1%}"
    verdict = f", {result.verdict}: {printable(result.verdict_reason)}" if result.verdict else ""
    return f"run {result.run_id}, model {result.model}{accuracy}; {counts}{verdict}"
