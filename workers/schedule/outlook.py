"""How it stands with a home's nights at this moment: one goes on, waits, was cut off, or is still to come.

Read from the records of the nights and the locks of those at work; nothing is changed and no broker is asked.
"""

from datetime import UTC, datetime
from typing import Literal

from pipeline.text import printable
from pipeline.wire import Value
from storage.home import Home, lock_holder
from workers.runs.active import active_runs
from workers.schedule.cron import night_due, slot_after, zone
from workers.schedule.nights import LOCK_FOLDER, Nights, Schedule

State = Literal["going on", "cut off", "waiting", "due", "scheduled", "off"]


class NightOutlook(Value, frozen=True, kw_only=True):
    """How it stands with the nights of a home."""

    state: State
    """`cut off`: it was begun, and whoever carried it out is gone; `due`: its hour has come and nothing is in its way;
    `scheduled`: only the next one is known."""
    since: str | None = None
    """When the night that goes on was begun, or the one that waits was due; ISO 8601, UTC."""
    run_id: str | None = None
    """The run that the night became."""
    waits_for: str = ""
    """What is in its way, in words."""
    next: str | None = None
    """When the next night is due; ISO 8601, UTC."""
    timezone: str = "UTC"
    """Whose hours the schedule means."""
    failed: str | None = None
    """The night that failed last, if no later one finished: when it was due; ISO 8601, UTC."""
    reason: str = ""
    """Why it failed."""


def read_outlook(home: Home, now: datetime | None = None) -> NightOutlook | None:
    """Return how it stands with the nights; None where nothing was ever scheduled.

    Raises `StoreError` for a record that cannot be read, `UsageError` for a schedule with a time zone that is not
    known here.
    """
    now = now or datetime.now(UTC)
    nights = Nights(home.path)
    schedule = nights.schedule()
    if schedule is None:
        return None
    outlook = _at_present(home, nights, schedule, now)
    if schedule.nightly is not None:
        outlook = outlook.replace(next=slot_after(schedule.nightly, schedule.timezone, now).isoformat())
    last = next((result for result in nights.results(last=10) if result.state != "skipped"), None)
    if last is not None and last.state == "failed":
        outlook = outlook.replace(failed=last.slot, reason=last.reason)
    return outlook.replace(timezone=schedule.timezone)


def _at_present(home: Home, nights: Nights, schedule: Schedule, now: datetime) -> NightOutlook:
    """Return the state of the night that is dealt with now, if there is one."""
    holder = lock_holder(home.path / LOCK_FOLDER)
    begun = nights.unsettled()
    attempts = nights.attempts(begun) if begun is not None else []
    if attempts:
        state: State = "going on" if holder is not None else "cut off"
        return NightOutlook(state=state, since=attempts[0].started, run_id=attempts[-1].run_id)
    due = night_due(schedule, nights.last_settled(now), now)
    if due is None:
        return NightOutlook(state="off" if schedule.nightly is None else "scheduled")
    others = active_runs(home)
    waits_for = f"run {others[0].run_id}" if others else holder or ""
    return NightOutlook(state="waiting" if waits_for else "due", since=due.slot.isoformat(), waits_for=waits_for)


def describe_outlook(outlook: NightOutlook, *, is_served: bool) -> str:
    """Return how it stands with the nights in words; `is_served` says whether a service is up. Empty for nothing."""
    since = _local(outlook.since, outlook)
    served = "the service takes it up" if is_served else "no service is up to take it up: `chordal up`"
    now = {
        "going on": f"goes on since {since}, run {outlook.run_id}",
        "cut off": f"begun {since} as run {outlook.run_id} and cut off; {served}",
        "waiting": f"waits since {since} for {printable(outlook.waits_for)}",
        "due": f"due since {since}; {'it begins soon' if is_served else 'no service is up for it: `chordal up`'}",
    }
    words = [now[outlook.state]] if outlook.state in now else []
    if outlook.failed is not None:
        words.append(f"the last one, of {_local(outlook.failed, outlook)}, failed: {printable(outlook.reason)}")
    if outlook.next is not None:
        up = "" if is_served or outlook.state in {"cut off", "due"} else ", but no service is up for it: `chordal up`"
        words.append(f"the next is due {_local(outlook.next, outlook)}{up}")
    return "; ".join(words)


def _local(moment: str | None, outlook: NightOutlook) -> str:
    """Return a moment by the schedule's clock."""
    if moment is None:
        return ""
    return datetime.fromisoformat(moment).astimezone(zone(outlook.timezone)).strftime("%a %Y-%m-%d %H:%M")
