"""A service that runs while the clocks change or are set: each night comes once; one is lost at most by its hour."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from workers.schedule.beat import Memory, due_orders
from workers.schedule.cron import slot_after, slot_before
from workers.schedule.nights import Maintenance, NightResult, Nights, Schedule

BERLIN = "Europe/Berlin"
SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When Berlin's clocks change: 02:00 is skipped, or comes twice."""
CHANGES = [
    (BERLIN, SPRING),
    (BERLIN, AUTUMN),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),  # at midnight
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # by half an hour
]
CRONS = ["30 0 * * *", "30 1 * * *", "0 2 * * *", "30 2 * * *", "0 3 * * *", "30 2 * * SUN", "30 1-3 * * *"]


class Beat:
    """A service whose clock a test sets; whatever is sent is done at once."""

    def __init__(self, home, cron: str, timezone: str, *, since: datetime) -> None:
        self.nights = Nights(home)
        schedule = Schedule(nightly=cron, timezone=timezone, since=since.isoformat(), reconcile_s=1e9, missed="run")
        self.nights.put_schedule(schedule)
        self.slots: list[datetime] = []
        self._memory = Memory(now_s=0.0)
        self._now_s = 0.0

    def run(self, begin: datetime, hours: float, *, minutes: int = 10) -> None:
        """Let hours pass from a time on, whatever the clock said before."""
        maintained = Maintenance(ended=begin.isoformat(), compaction="nothing", segments=0, removed=0)
        self.nights.put_maintenance(maintained)
        for step in range(int(hours * 60 / minutes)):
            self._now_s += 60.0 * minutes
            now = begin + timedelta(minutes=minutes * step)
            for order in due_orders(
                self.nights, self._memory, home_busy=False, worker_busy=False, now=now, now_s=self._now_s
            ):
                if order.task == "nightly":
                    slot = datetime.fromisoformat(order.kwargs["slot"])
                    self.slots.append(slot)
                    ended = NightResult(slot=slot.isoformat(), state="finished", ended=now.isoformat())
                    assert self.nights.settle(slot, ended)


@pytest.mark.parametrize("cron", [*CRONS, "0 * * * *", "*/20 * * * *"])
@pytest.mark.parametrize(("timezone", "change"), CHANGES)
def test_while_the_clocks_change_the_last_night_is_always_one_that_was_to_come(timezone, change, cron):
    moments = [change + timedelta(minutes=5 * step) for step in range(-12 * 12, 12 * 12)]
    slots = [slot_before(cron, timezone, moment) for moment in moments]
    assert all(before <= after for before, after in pairwise(slots))
    expected, slot = set(), slots[0]
    while slot <= moments[-1]:
        expected.add(slot)
        slot = slot_after(cron, timezone, slot)
    assert set(slots) == expected


@pytest.mark.parametrize(("cron", "nights"), [("30 2 * * *", 3), ("0 2 * * *", 3), ("30 1-3 * * *", 9)])
@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_a_service_that_runs_while_the_clocks_change_has_every_night_once(tmp_path, change, cron, nights):
    begin = change - timedelta(hours=36)
    beat = Beat(tmp_path, cron, BERLIN, since=begin - timedelta(hours=1))
    beat.run(begin, hours=72, minutes=30)
    days = Counter(slot.astimezone(ZoneInfo(BERLIN)).day for slot in beat.slots)
    assert beat.slots == sorted(set(beat.slots))
    assert set(days.values()) == {nights // 3}
    assert len(beat.slots) == nights


NIGHT = datetime(2026, 7, 24, 1, tzinfo=UTC)
"""03:00 in Berlin."""
DAY = timedelta(days=1)


@pytest.fixture
def beat(tmp_path):
    """A service that had the night before, and this one."""
    beat = Beat(tmp_path, "0 3 * * *", BERLIN, since=NIGHT - 10 * DAY)
    beat.run(NIGHT - DAY, hours=26)
    assert beat.slots == [NIGHT - DAY, NIGHT]
    return beat


def test_a_clock_that_is_set_back_by_an_hour_brings_no_night_again(beat):
    beat.run(NIGHT - timedelta(minutes=30), hours=23)
    assert beat.slots == [NIGHT - DAY, NIGHT]
    beat.run(NIGHT + timedelta(hours=22.5), hours=3)
    assert beat.slots == [NIGHT - DAY, NIGHT, NIGHT + DAY]


def test_a_clock_that_is_set_ahead_by_an_hour_over_a_night_does_not_lose_it(beat):
    beat.run(NIGHT + timedelta(hours=2), hours=21.5)
    beat.run(NIGHT + timedelta(hours=24.5), hours=1)
    assert beat.slots == [NIGHT - DAY, NIGHT, NIGHT + DAY]


def test_a_clock_that_is_set_ahead_by_a_year_and_back_has_each_night_once_afterwards(beat):
    beat.run(NIGHT + 365 * DAY + timedelta(hours=2), hours=1)
    assert beat.slots[2:] == [NIGHT + 365 * DAY]
    beat.run(NIGHT + timedelta(hours=3), hours=48)
    assert beat.slots[3:] == [NIGHT + DAY, NIGHT + 2 * DAY]


def test_a_clock_that_is_set_back_by_a_year_and_right_again_has_each_night_once_afterwards(beat):
    beat.run(NIGHT - 365 * DAY + timedelta(hours=2), hours=24)
    strayed = beat.slots[2:]
    assert len(strayed) == len(set(strayed)) <= 2  # it cannot know that the clock is wrong
    beat.run(NIGHT + timedelta(hours=3), hours=48)
    assert beat.slots[2 + len(strayed) :] == [NIGHT + DAY, NIGHT + 2 * DAY]
