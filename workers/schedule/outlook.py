"""How it stands with a home's nights: the one that is due now, the next, and the last that failed.

Read from the records of the nights and the locks of those at work; nothing is changed and no broker is asked.
"""

from datetime import UTC, datetime

from pipeline.text import printable
from pipeline.wire import Value
from storage.home import Home
from workers.runs.figures import Figures, read_strictly
from workers.schedule.cron import slot_after, zone
from workers.schedule.current import CurrentNight, current_night, describe_current
from workers.schedule.nights import Nights


class NightOutlook(Value, frozen=True, kw_only=True):
    """How it stands with the nights of a home."""

    current: CurrentNight | None = None
    """The night whose hour has come and that has no result yet."""
    next: str | None = None
    """When the next night is due; ISO 8601, UTC."""
    timezone: str = "UTC"
    """Whose hours the schedule means."""
    failed: str | None = None
    """The night that failed last, if no later one finished: when it was due; ISO 8601, UTC."""
    reason: str = ""
    """Why it failed."""


def read_outlook(home: Home, now: datetime | None = None, *, figures: Figures | None = None) -> NightOutlook | None:
    """Return how it stands with the nights; None where nothing was ever scheduled.

    Raises `StoreError` for a record that cannot be read, `UsageError` for a schedule with a time zone that is not
    known here; with `figures` only for the schedule, and names there what of the nights cannot be read.
    """
    now = now or datetime.now(UTC)
    read = read_strictly if figures is None else figures.read
    nights = Nights(home.path)
    schedule = nights.schedule()
    if schedule is None:
        return None
    current = read("night.current", lambda: current_night(home, now), None)
    outlook = NightOutlook(current=current, timezone=schedule.timezone)
    if schedule.nightly is not None:
        outlook = outlook.replace(next=slot_after(schedule.nightly, schedule.timezone, now).isoformat())
    results = read("night.failed", lambda: nights.results(last=10, now=now), [])
    last = next((result for result in results if result.state != "skipped"), None)
    if last is not None and last.state == "failed":
        outlook = outlook.replace(failed=last.slot, reason=last.reason)
    return outlook


def describe_outlook(outlook: NightOutlook, *, is_served: bool) -> str:
    """Return how it stands with the nights in words; `is_served` says whether a service is up. Empty for nothing."""
    words = []
    if (night := outlook.current) is not None:
        words.append(
            f"that of {_local(night.slot, outlook)} {describe_current(night)}, since {_local(night.since, outlook)}"
        )
    if outlook.failed is not None:
        words.append(f"the last one, of {_local(outlook.failed, outlook)}, failed: {printable(outlook.reason)}")
    if outlook.next is not None:
        words.append(f"the next is due {_local(outlook.next, outlook)}")
    if outlook.next is not None and not is_served:
        words.append("no service is up for it: `chordal up`")
    return "; ".join(words)


def _local(moment: str, outlook: NightOutlook) -> str:
    """Return a moment by the schedule's clock."""
    return datetime.fromisoformat(moment).astimezone(zone(outlook.timezone)).strftime("%a %Y-%m-%d %H:%M")
