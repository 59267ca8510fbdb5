from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from workers.schedule.beat import RESEND_S, Memory, due_orders
from workers.schedule.cron import Due, check_cron, maintenance_due, night_due, slot_after, slot_before, zone
from workers.schedule.nights import Attempt, Maintenance, NightResult, Nights, Schedule

THREE = "0 3 * * *"
BERLIN = "Europe/Berlin"
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given one


def at(text: str) -> datetime:
    """Return a moment given in Berlin's time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)


def schedule(**more) -> Schedule:
    """Return a schedule that was made long ago."""
    return Schedule(**{"nightly": THREE, "timezone": BERLIN, "since": "2020-01-01T00:00:00+00:00", **more})


def test_three_at_night_is_meant_where_the_owner_lives():
    assert slot_after(THREE, BERLIN, at("2026-07-24T12:00")) == datetime(2026, 7, 25, 1, tzinfo=UTC)
    assert slot_after(THREE, BERLIN, at("2026-12-24T12:00")) == datetime(2026, 12, 25, 2, tzinfo=UTC)


def test_a_slot_is_due_at_its_very_second():
    assert slot_before(THREE, BERLIN, at("2026-07-24T03:00")) == at("2026-07-24T03:00")
    assert slot_before(THREE, BERLIN, at("2026-07-24T02:59:59")) == at("2026-07-23T03:00")


def test_a_slot_is_not_due_a_moment_before_its_second():
    assert slot_before(THREE, BERLIN, at("2026-07-24T02:59:59.000001")) == at("2026-07-23T03:00")


def test_an_hour_that_is_skipped_in_spring_still_has_its_night():
    # 29 March 2026: after 01:59 comes 03:00
    slot = slot_after("30 2 * * *", BERLIN, at("2026-03-28T12:00"))
    assert at("2026-03-29T03:00") <= slot <= at("2026-03-29T03:30")


def test_an_hour_that_comes_twice_in_autumn_has_one_night():
    # 25 October 2026: 02:00 to 03:00 comes twice
    first = slot_after("30 2 * * *", BERLIN, at("2026-10-24T12:00"))
    assert slot_after("30 2 * * *", BERLIN, first).date() == datetime(2026, 10, 26, tzinfo=UTC).date()


@given(now=MOMENTS, cron=st.sampled_from([THREE, "30 2 * * *", "*/20 * * * *", "15 4 1 * *"]))
def test_the_slot_before_a_moment_is_the_last_one_of_those_that_came(now, cron):
    before, after = slot_before(cron, BERLIN, now), slot_after(cron, BERLIN, now)
    assert before <= now < after


def test_a_night_is_due_once():
    now = at("2026-07-24T03:00:01")
    due = night_due(schedule(), None, now)
    assert due is not None
    assert (due.slot, due.missed) == (at("2026-07-24T03:00"), False)
    assert night_due(schedule(), due.slot, now) is None
    assert night_due(schedule(), due.slot, now + timedelta(days=1)) is not None


def test_of_several_missed_nights_the_newest_is_due():
    due = night_due(schedule(), at("2026-07-20T03:00"), at("2026-07-24T09:00"))
    assert due is not None
    assert (due.slot, due.missed) == (at("2026-07-24T03:00"), True)


def test_hours_before_the_schedule_was_made_are_not_due():
    assert night_due(schedule(since=at("2026-07-24T04:00").isoformat()), None, at("2026-07-24T09:00")) is None


def test_a_night_is_due_although_one_to_come_was_settled_by_a_clock_that_was_ahead(tmp_path):
    nights = Nights(tmp_path)
    for slot in (at("2026-07-23T03:00"), at("2026-08-24T03:00")):
        nights.settle(slot, NightResult(slot=slot.isoformat(), state="finished", ended=slot.isoformat()))
    now = at("2026-07-24T03:00:01")
    assert nights.last_settled(now) == at("2026-07-23T03:00")
    assert night_due(schedule(), nights.last_settled(now), now) == Due(slot=at("2026-07-24T03:00"), missed=False)


def test_a_schedule_that_a_clock_that_was_ahead_wrote_does_not_wait_for_that_time():
    now = at("2026-07-24T03:00:01")
    ahead = schedule(since=at("2026-08-24T03:00").isoformat())
    assert night_due(ahead, None, now) is not None
    assert maintenance_due(ahead, at("2026-08-24T05:30"), now)


def test_a_schedule_that_is_off_has_no_night():
    assert night_due(schedule(nightly=None), None, at("2026-07-24T03:00:01")) is None


def test_the_store_is_tidied_up_once_a_day():
    now = at("2026-07-24T12:00")
    assert maintenance_due(schedule(), None, now)
    assert not maintenance_due(schedule(), now - timedelta(hours=1), now)
    assert maintenance_due(schedule(), now - timedelta(hours=1), now + timedelta(days=1))


@pytest.mark.parametrize("expression", ["", "3", "61 * * * *", "0 3 * * * *", "a b c d e", "0 0 30 2 *"])
def test_what_is_no_cron_expression_is_refused(expression):
    with pytest.raises(UsageError, match="nightly"):
        check_cron(expression)


def test_a_cron_expression_is_put_into_words():
    assert check_cron(THREE) == "At 03:00 every day"


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(UsageError, match="Europe/Rostok"):
        zone("Europe/Rostok")


def test_a_night_is_begun_and_settled_by_one(tmp_path):
    nights = Nights(tmp_path)
    slot = at("2026-07-24T03:00")
    attempt = Attempt(run_id="r1", host="studio", pid=1, started="2026-07-24T01:00:00+00:00")
    assert nights.begin(slot, 1, attempt)
    assert not nights.begin(slot, 1, attempt.replace(pid=2))
    assert nights.attempts(slot) == [attempt]
    assert nights.unsettled(slot) == slot
    assert nights.last_settled(slot) is None
    result = NightResult(slot=slot.isoformat(), state="finished", run_id="r1", ended="2026-07-24T02:00:00+00:00")
    assert nights.settle(slot, result)
    assert not nights.settle(slot, result.replace(state="failed"))
    assert (nights.result(slot), nights.last_settled(slot), nights.unsettled(slot)) == (result, slot, None)
    assert nights.results(last=3, now=slot) == [result]


def test_nights_to_come_of_a_clock_that_was_ahead_hide_none_that_came(tmp_path):
    nights, now = Nights(tmp_path), at("2026-07-24T04:00")
    slots = [at(f"2026-{month}-{day}T03:00") for month, day in (("07", "23"), ("08", "24"), ("08", "25"))]
    for slot in slots:
        nights.settle(slot, NightResult(slot=slot.isoformat(), state="finished", ended=slot.isoformat()))
    assert [each.slot for each in nights.results(last=2, now=now)] == [slots[0].isoformat(), slots[2].isoformat()]
    begun = at("2026-07-24T03:00")
    nights.begin(begun, 1, Attempt(run_id="r1", host="studio", pid=1, started=begun.isoformat()))
    assert nights.unsettled(now) == begun


def test_a_damaged_record_of_a_night_counts_as_one_that_failed_and_hides_no_other(tmp_path):
    nights, slots = Nights(tmp_path), [at("2026-07-23T03:00"), at("2026-07-24T03:00")]
    for slot in slots:
        nights.settle(slot, NightResult(slot=slot.isoformat(), state="finished", ended=slot.isoformat()))
    damaged = tmp_path / "nightly" / "20260724T010000Z" / "result.json"
    damaged.write_bytes(b"\0" * 100)
    (tmp_path / "nightly" / "what is thisZ").mkdir()
    last, before = nights.results(last=5, now=slots[1])
    assert (last.state, before.state) == ("failed", "finished")
    assert str(damaged) in last.reason
    assert nights.last_settled(slots[1]) == slots[1]  # it is not done again


class Ticks:
    """A beat's decisions, a tick at a time."""

    def __init__(self, home, **more) -> None:
        self.nights = Nights(home)
        self.nights.put_schedule(schedule(reconcile_s=300.0, **more))
        self.memory = Memory(now_s=0.0)
        self.now_s = 0.0

    def tick(self, after_s: float = 1.0, *, home_busy: bool = False, worker_busy: bool = False) -> list[str]:
        """Return the names of what is sent `after_s` seconds later."""
        self.now_s += after_s
        now = at("2026-07-24T03:00") + timedelta(seconds=self.now_s)
        self.nights.put_maintenance(Maintenance(ended=now.isoformat(), compaction="nothing", segments=0, removed=0))
        self.sent = due_orders(
            self.nights, self.memory, home_busy=home_busy, worker_busy=worker_busy, now=now, now_s=self.now_s
        )
        return [order.task for order in self.sent]


def test_a_night_is_sent_once_and_again_only_when_it_was_not_begun(tmp_path):
    ticks = Ticks(tmp_path)
    assert ticks.tick() == ["nightly"]
    assert ticks.tick() == []
    assert ticks.tick(RESEND_S) == ["nightly"]  # its message was lost
    assert ticks.tick(RESEND_S, home_busy=True, worker_busy=True) == []  # it is being done
    slot = at("2026-07-24T03:00")
    ticks.nights.settle(slot, NightResult(slot=slot.isoformat(), state="finished", ended=slot.isoformat()))
    assert ticks.tick(RESEND_S) == []


def test_a_night_waits_for_the_run_before_it_and_is_not_missed_for_that(tmp_path):
    ticks = Ticks(tmp_path)
    assert ticks.tick(home_busy=True) == []
    assert ticks.tick(4 * 3600, home_busy=True, worker_busy=True) == []
    assert ticks.tick() == ["nightly", "reconcile"]
    assert ticks.sent[0].kwargs["missed"] is False


def test_runs_left_behind_are_looked_for_now_and_then(tmp_path):
    ticks = Ticks(tmp_path, nightly=None)
    assert ticks.tick() == []
    assert ticks.tick(300) == ["reconcile"]
    assert ticks.tick() == []


def test_a_home_without_a_schedule_sends_nothing(tmp_path):
    memory = Memory(now_s=0.0)
    now = at("2026-07-24T03:00")
    assert due_orders(Nights(tmp_path), memory, home_busy=False, worker_busy=False, now=now, now_s=1.0) == []
