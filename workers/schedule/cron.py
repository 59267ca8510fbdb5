"""When a night or the maintenance is due, by cron expressions in a time zone."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from cronsim.explain import explain

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value
from workers.schedule.nights import Schedule

LATE_S = 600.0
"""A night found due later than this was missed: nothing was up at its hour."""

CHANGE = timedelta(hours=4)
"""How long after a change of the clocks an hour may come for the second time, and more."""

TIDY = "30 5 * * *"
"""When the store is compacted and collected, every day."""


class Due(Value, frozen=True, kw_only=True):
    """A night whose hour has come."""

    slot: datetime
    missed: bool
    """Whether its hour passed while nothing was up."""


def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    Raises `UsageError` for an unknown one.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"timezone {printable(name)}: not known here; give a name such as Europe/Berlin") from error


def check_cron(expression: str) -> str:
    """Return a cron expression in words.

    Raises `UsageError` for what is none, or has not five fields.
    """
    mend = "give minute, hour, day, month and weekday, e.g. '0 3 * * *' for 03:00 every night"
    if len(expression.split()) != 5:
        raise UsageError(f"nightly {printable(expression)!r}: has not five fields; {mend}")
    try:
        next(CronSim(expression, datetime.now(UTC)))
        words: str = explain(expression)
    except (CronSimError, StopIteration) as error:
        reason = f"{error}".lower() or "never comes"
        raise UsageError(f"nightly {printable(expression)!r}: {reason}; {mend}") from error
    return words


def slot_before(expression: str, timezone: str, moment: datetime) -> datetime:
    """Return the newest moment at or before `moment` at which an expression is due, UTC.

    In the hour that is skipped in spring a fixed time is due when the hour ends; in the one that comes twice, once.
    """
    place, moment = zone(timezone), moment.astimezone(UTC)
    before = moment - CHANGE
    if moment.astimezone(place).utcoffset() == before.astimezone(place).utcoffset():
        return _slot_backwards(expression, moment.astimezone(place))
    # The clocks have just changed. Backwards, the simulation leaves out an hour that comes twice; forwards it has both.
    slot = _slot_backwards(expression, before.astimezone(place))
    for found in CronSim(expression, slot.astimezone(place)):
        if found > moment:
            break
        slot = found.astimezone(UTC)
    return slot


def _slot_backwards(expression: str, local: datetime) -> datetime:
    # The simulation never returns its start, and its moments are whole seconds.
    start = local.replace(microsecond=0) + timedelta(seconds=1)
    found: datetime = next(CronSim(expression, start, reverse=True))
    return found.astimezone(UTC)


def slot_after(expression: str, timezone: str, moment: datetime) -> datetime:
    """Return the first moment after `moment` at which an expression is due, UTC."""
    found: datetime = next(CronSim(expression, moment.astimezone(zone(timezone))))
    return found.astimezone(UTC)


def night_due(schedule: Schedule, settled: datetime | None, now: datetime) -> Due | None:
    """Return the night that has to be dealt with now, if there is one; of several that were missed, the newest.

    `settled` is the slot of the newest night with a result, of those whose hour has come.
    """
    if schedule.nightly is None:
        return None
    slot = slot_before(schedule.nightly, schedule.timezone, now)
    if slot < _past(schedule.since, now) or (settled is not None and slot <= settled):
        return None
    return Due(slot=slot, missed=(now - slot).total_seconds() > LATE_S)


def maintenance_due(schedule: Schedule, last: datetime | None, now: datetime) -> bool:
    """Tell whether the store has to be maintained; `last` is when that was done last, None for never."""
    slot = slot_before(TIDY, schedule.timezone, now)
    return slot >= (last if last is not None and last <= now else _past(schedule.since, now))


def _past(moment: str, now: datetime) -> datetime:
    """Return a moment that was written down, or the beginning of time for one to come.

    Such a one was written by a clock that was ahead: to wait until it is right would be to do nothing for as long.
    """
    written = datetime.fromisoformat(moment)
    return written if written <= now else datetime.min.replace(tzinfo=UTC)
