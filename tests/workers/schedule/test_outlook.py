"""How it stands with a home's nights, by their records and by the locks of those at work."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.home import Home
from workers.runs.active import announce
from workers.schedule.nights import Attempt, NightResult, Nights, Schedule
from workers.schedule.outlook import describe_outlook, read_outlook
from workers.schedule.recovery import schedule_lock

SLOT = datetime(2026, 6, 2, 3, tzinfo=UTC)
NOW = SLOT + timedelta(minutes=5)
SCHEDULE = Schedule(nightly="0 3 * * *", since="2026-06-01T12:00:00+00:00", libraries=("/music",))
ATTEMPT = Attempt(run_id="r1", host="studio", pid=1, started=(SLOT + timedelta(minutes=1)).isoformat())


@pytest.fixture
def home(tmp_path) -> Home:
    Nights(tmp_path).put_schedule(SCHEDULE)
    return Home(tmp_path)


def words(home: Home, now: datetime = NOW, *, is_served: bool = True) -> str:
    outlook = read_outlook(home, now)
    assert outlook is not None
    return describe_outlook(outlook, is_served=is_served)


def test_a_home_without_a_schedule_has_no_outlook(tmp_path):
    assert read_outlook(Home(tmp_path)) is None


def test_a_night_that_waits_names_what_it_waits_for(home):
    with announce(home, "r7"):
        assert words(home) == (
            "that of Tue 2026-06-02 03:00 waits for run r7, since Tue 2026-06-02 03:00; "
            "the next is due Wed 2026-06-03 03:00"
        )


def test_a_night_that_goes_on_names_its_run(home):
    Nights(home.path).begin(SLOT, 1, ATTEMPT)
    with schedule_lock(home, "the nightly run"), announce(home, "r1"):
        assert words(home).startswith("that of Tue 2026-06-02 03:00 goes on as run r1, since Tue 2026-06-02 03:01; ")


def test_a_night_that_nobody_can_begin_says_that_no_service_is_up(home):
    assert words(home).endswith("; the next is due Wed 2026-06-03 03:00")
    assert words(home, is_served=False).endswith("; no service is up for it: `chordal up`")


def test_the_last_night_that_failed_is_told_until_one_has_finished(home):
    nights = Nights(home.path)
    nights.begin(SLOT, 1, ATTEMPT)
    failed = NightResult(slot=SLOT.isoformat(), state="failed", reason="no\nspace", ended=NOW.isoformat())
    nights.settle(SLOT, failed)
    assert words(home) == (
        "the last one, of Tue 2026-06-02 03:00, failed: no\\nspace; the next is due Wed 2026-06-03 03:00"
    )
    later = SLOT + timedelta(days=1)
    nights.settle(later, failed.replace(slot=later.isoformat(), state="finished"))
    assert "failed" in words(home)  # of a clock that was ahead
    assert "failed" not in words(home, later)


def test_the_hours_are_those_of_the_schedule(home):
    Nights(home.path).put_schedule(SCHEDULE.replace(timezone="Europe/Berlin"))
    outlook = read_outlook(home, NOW)
    assert outlook.next == "2026-06-03T01:00:00+00:00"
    assert describe_outlook(outlook, is_served=True).endswith("the next is due Wed 2026-06-03 03:00")


def test_looking_leaves_no_trace(home):
    before = sorted(path.name for path in home.path.rglob("*"))
    read_outlook(home, NOW)
    assert sorted(path.name for path in home.path.rglob("*")) == before
