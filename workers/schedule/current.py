"""The night that is due now: whether it goes on, waits, or should have begun."""

from datetime import datetime
from typing import Literal

from pipeline.text import printable
from pipeline.wire import Value
from storage.home import Home, lock_holder
from workers.runs.active import active_runs
from workers.schedule.cron import night_due
from workers.schedule.nights import LOCK_FOLDER, Nights


class CurrentNight(Value, frozen=True, kw_only=True):
    """A night whose hour has come and that has no result yet."""

    slot: str
    """When it was due, ISO 8601, UTC."""
    state: Literal["runs", "waits", "stalled", "due"]
    """`waits`: for another run; `stalled`: it was begun, and nobody goes on with it; `due`: nobody has begun it."""
    run_id: str | None = None
    """Its own run, or the one that it waits for."""
    since: str
    """Since when, ISO 8601, UTC."""
    missed: bool = False
    """Whether its hour was over when it was first looked for."""
    holder: str = ""
    """The process that has the home, where no run tells why the night is not begun."""


def current_night(home: Home, now: datetime) -> CurrentNight | None:
    """Return the night that is due now; None where there is no schedule, or it has its result."""
    nights = Nights(home.path)
    schedule = nights.schedule()
    due = None if schedule is None else night_due(schedule, nights.last_settled(now), now)
    if due is None:
        return None
    night = CurrentNight(slot=due.slot.isoformat(), state="due", since=due.slot.isoformat(), missed=due.missed)
    attempts, active = nights.attempts(due.slot), [run.run_id for run in active_runs(home)]
    if attempts:
        run_id = attempts[-1].run_id
        # While a run is scanned it is not active yet, but whoever is at it has the lock.
        goes_on = run_id in active or lock_holder(home.path / LOCK_FOLDER) is not None
        return night.replace(
            state="runs" if goes_on else "stalled", run_id=run_id, since=attempts[0].started, missed=False
        )
    if active:
        return night.replace(state="waits", run_id=active[0])
    return night.replace(holder=lock_holder(home.path) or "")


def describe_current(night: CurrentNight) -> str:
    """Return what a night does that has no result yet, for people."""
    if night.state == "runs":
        return f"goes on as run {night.run_id}"
    if night.state == "waits":
        return f"waits for run {night.run_id}"
    if night.state == "stalled":
        return f"was begun as run {night.run_id}, and no worker goes on with it"
    return f"waits: the home is in use by {printable(night.holder)}" if night.holder else "was not begun yet"
