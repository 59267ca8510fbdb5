"""The schedule of a home, and the records of its nights.

    <home>/schedule.json                        what recurs
    <home>/nightly/<slot>/attempt-1.json        who began the night, and the run it became
    <home>/nightly/<slot>/result.json           what came of it
    <home>/nightly/tidied.json                  the last maintenance of the store

A *slot* is the moment a night is due. Each document of a night is published by exactly one process, so it does not
matter how often a task for it is sent, or by how many schedulers.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.errors import StoreError
from pipeline.plans.scan_rules import ScanRules
from pipeline.text import printable
from pipeline.wire import Value
from storage import Documents

LOCK_FOLDER = "nightly"
"""The folder of the lock that is held while a run goes on that was begun by the clock."""


SWITCHED_OFF = "switched off meanwhile"
"""Why a night was skipped that somebody switched off when it was due."""


class Schedule(Value, frozen=True, kw_only=True):
    """What recurs in a home, as stored in `schedule.json`."""

    nightly: str | None = None
    """Cron expression of five fields; None for no nightly run."""
    timezone: str = "UTC"
    """IANA name."""
    missed: Literal["run", "skip"] = "run"
    """What becomes of a night whose hour passed while nothing was up."""
    since: str
    """ISO 8601: nights before this were not scheduled."""
    libraries: tuple[str, ...] = ()
    recipe: str = "default"
    """A recipe's name, or the absolute path of its file, which is read anew each night."""
    labels: str = "folder"
    groups: str | None = None
    folds: str | None = None
    seed: int = 1
    trials: int | None = None
    tracking: str | None = None
    """Address of the MLflow that each night is recorded in; None for none."""
    rules: ScanRules = ScanRules()
    max_duration_s: float = 4 * 3600.0
    reconcile_s: float = 300.0
    """Seconds between two searches for an abandoned run."""
    dual_mono: bool = False
    """Whether the loudness of mono files is measured as from two loudspeakers."""
    keep_models: int = 0
    """How many of the newest models stay when the home is tidied; 0 for all."""
    keep_runs: int = 0
    """How many of the newest runs stay; 0 for all."""


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


class Maintenance(Value, frozen=True, kw_only=True):
    """A maintenance of the store."""

    ended: str
    """ISO 8601, UTC."""
    compaction: str
    segments: int
    removed: int
    """Files that nobody referred to."""
    models: int = 0
    """Models that were deleted as the schedule says, ..."""
    runs: int = 0
    """... and runs."""


class Nights:
    """The schedule of a home and the records of its nights; safe from threads and processes, holds nothing open."""

    def __init__(self, home: Path) -> None:
        self._documents = Documents(home, scratch="nightly/.tmp")

    def schedule(self) -> Schedule | None:
        """Return what recurs, or None when nothing was ever scheduled."""
        return self._documents.find("schedule", Schedule)

    def put_schedule(self, schedule: Schedule) -> None:
        """Write what recurs from now on."""
        self._documents.replace("schedule", schedule)

    def begin(self, slot: datetime, number: int, attempt: Attempt) -> bool:
        """Begin a night for the `number`th time, counted from 1; of all processes exactly one gets True."""
        return self._documents.publish(f"nightly/{_name(slot)}/attempt-{number}", attempt)

    def attempts(self, slot: datetime) -> list[Attempt]:
        """Return who began a night, first attempt first."""
        names = [name for name in self._documents.names(f"nightly/{_name(slot)}") if "/attempt-" in name]
        return [self._documents.read(name, Attempt) for name in names]

    def settle(self, slot: datetime, result: NightResult) -> bool:
        """Write what came of a night; False when that was written before, which stays."""
        return self._documents.publish(f"nightly/{_name(slot)}/result", result)

    def result(self, slot: datetime) -> NightResult | None:
        """Return what came of a night, or None while it is not known; of a damaged record that it is one."""
        try:
            return self._documents.find(f"nightly/{_name(slot)}/result", NightResult)
        except StoreError as error:
            if not isinstance(error.__cause__, ValueError | RecursionError):
                raise  # it may be whole, and readable for others or the next time
            moment = slot.isoformat()
            return NightResult(slot=moment, state="failed", reason=f"{error}; remove that file", ended=moment)

    def results(self, *, last: int, now: datetime) -> list[NightResult]:
        """Return what came of the newest nights, newest first; those to come, of a clock that was ahead, last."""
        results: list[NightResult] = []
        slots = self._slots()
        for slot in (*(each for each in slots if each <= now), *(each for each in slots if each > now)):
            if (result := self.result(slot)) is not None:
                results.append(result)
            if len(results) == last:
                break
        return results

    def last_settled(self, now: datetime) -> datetime | None:
        """Return the slot of the newest night with a result; those to come were of a clock that was ahead."""
        return next((slot for slot in self._slots() if slot <= now and self.result(slot) is not None), None)

    def unsettled(self, now: datetime) -> datetime | None:
        """Return the slot of the newest night that has come, if it was begun and has no result."""
        newest = next((slot for slot in self._slots() if slot <= now), None)
        return newest if newest is not None and self.result(newest) is None else None

    def last_maintenance(self) -> Maintenance | None:
        """Return the last maintenance of the store, or None when there was none."""
        return self._documents.find("nightly/tidied", Maintenance)

    def put_maintenance(self, maintenance: Maintenance) -> None:
        """Write that the store was maintained."""
        self._documents.replace("nightly/tidied", maintenance)

    def _slots(self) -> list[datetime]:
        """Return the slots of all nights that were begun or settled, newest first."""
        folder = self._documents.root / "nightly"
        names = (path.name for path in folder.glob("*Z") if _FOLDER.fullmatch(path.name) and path.is_dir())
        return sorted((datetime.strptime(name, _SLOT).replace(tzinfo=UTC) for name in names), reverse=True)


_SLOT = "%Y%m%dT%H%M%SZ"
_FOLDER = re.compile(r"\d{8}T\d{6}Z")


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
