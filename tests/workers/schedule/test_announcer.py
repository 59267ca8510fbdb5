"""Who asked for it is told of nights: once, whoever is killed or away, and without anything waiting for it."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta

import psutil
import pytest
import receivers
from conditions import eventually
from model_homes import learn, songs, store

from storage.home import Home, home_lock
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.notices import disk, outbox
from workers.notices.notice import NIGHT_DEFAULTS, NIGHT_EVENTS
from workers.notices.outbox import Outbox, last_deliveries
from workers.notices.targets import parse_targets
from workers.runs.active import announce
from workers.schedule import nightly
from workers.schedule.announcer import Announcer
from workers.schedule.current import current_night, describe_current
from workers.schedule.night_notices import STALLED_S, WAITS_S, result_event
from workers.schedule.nights import SWITCHED_OFF, Attempt, NightResult, Nights, Schedule

SLOT = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
"""Not long ago: notices are as old as the real clock says."""
SINCE = (SLOT - timedelta(days=10)).isoformat()
ON_TIME = SLOT + timedelta(seconds=5)


@pytest.fixture
def page():
    with receivers.web() as page:
        yield page


@pytest.fixture(autouse=True)
def roomy(monkeypatch):
    """A disk with room, whatever this host's is like."""
    monkeypatch.setattr(disk, "SHARE", 0.0)


class Told:
    """A home whose nights somebody is told of; a test says what happens, and looks when it likes."""

    def __init__(self, folder, *targets: str, events=NIGHT_DEFAULTS, **schedule) -> None:
        self.home = Context(Settings(home=str(folder), broker=BrokerAddress(url="redis://127.0.0.1:1/0")))
        self.nights = Nights(folder)
        options = {"nightly": f"0 {SLOT.hour} * * *", "since": SINCE, "libraries": (str(folder),), **schedule}
        self.nights.put_schedule(Schedule(**options))
        self.outbox = Outbox(folder)
        self.outbox.set_targets(parse_targets(targets), events)
        self.tell_of_everything()
        self.announcer = Announcer(self.home)

    def tell_of_everything(self) -> None:
        """Let the recipients be such that were named long ago."""
        known = self.outbox.recipients()
        self.outbox.put_recipients(
            known.replace(recipients=tuple(each.replace(since=SINCE) for each in known.recipients), since=SINCE)
        )

    def settle(self, slot=SLOT, **result) -> NightResult:
        ended = NightResult(**{"slot": slot.isoformat(), "state": "finished", "ended": slot.isoformat(), **result})
        assert self.nights.settle(slot, ended)
        return ended

    def begin(self, run_id: str) -> None:
        attempt = Attempt(run_id=run_id, host="studio", pid=1, started=ON_TIME.isoformat())
        assert self.nights.begin(SLOT, 1, attempt)

    def look(self, now=ON_TIME, *, now_s: float = 1.0, again: bool = False) -> None:
        """Do what the thread beside beat does every few seconds; `again` by one that was started anew."""
        if again:
            self.announcer = Announcer(self.home)
        for thread in self.announcer.check(now, now_s=now_s):
            thread.join()


def test_a_night_that_fails_is_told_once_with_its_reason_and_mend(tmp_path, page):
    told = Told(tmp_path, page.url)
    # when it is carried out by whoever conducts it: the broker is away
    result = nightly.run_night(told.home, SLOT, missed=False)
    for again in (False, False, True):
        told.look(again=again)
    # then
    [notice] = page.bodies
    assert (notice["event"], notice["work"], notice["slot"]) == ("failed", "night", SLOT.isoformat())
    assert notice["reason"] == result.reason.partition("; ")[0]
    assert "127.0.0.1:1" in notice["reason"]
    assert notice["mend"]
    assert "failed: " in notice["text"]
    assert notice["message"] == notice["text"]
    assert (notice["home"], notice["host"]) == (str(tmp_path), os.uname().nodename)
    [last] = last_deliveries(tmp_path)
    assert (last.state, last.event, last.target) == ("delivered", "failed", f"http://127.0.0.1:{page.port}/***")


def test_who_is_killed_between_the_end_of_a_night_and_its_notice_keeps_nobody_from_being_told(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle(state="failed", reason="no sound")
    told.announcer.announce(ON_TIME, now_s=1.0)  # and killed before it is delivered
    assert page.bodies == []
    told.look(ON_TIME + timedelta(hours=20), again=True)
    assert page.events == ["failed"]


def test_a_damaged_record_keeps_nobody_from_being_told_of_the_rest(tmp_path, page):
    # given a night of which the record is damaged, one of which the notice is, and one of which both are whole
    told = Told(tmp_path, page.url)
    slots = [SLOT - timedelta(hours=hours) for hours in (3, 2, 1)]
    for slot in slots:
        told.settle(slot, state="failed", reason="no sound")
    told.announcer.announce(ON_TIME, now_s=1.0)
    [notice] = tmp_path.glob(f"notices/{slots[1].astimezone(UTC):%Y%m%dT%H%M%SZ}-result/notice.json")
    notice.write_bytes(b"")
    (tmp_path / "nightly" / f"{slots[0].astimezone(UTC):%Y%m%dT%H%M%SZ}" / "result.json").write_bytes(b"{")
    # when
    for again in (False, True):
        told.look(again=again)
    # then of each it is told once
    assert sorted(body["slot"] for body in page.bodies) == [slot.isoformat() for slot in slots]


def test_what_happened_more_than_a_day_ago_is_not_told(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle(SLOT - timedelta(days=2), state="failed", reason="no sound")
    told.settle(SLOT, state="finished")
    told.look()
    assert page.bodies == []


def test_who_is_named_later_is_not_told_of_what_happened_before(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle(state="failed", reason="no sound", ended=(SLOT - timedelta(minutes=5)).isoformat())
    told.look()
    with receivers.web() as other:
        told.outbox.set_targets(parse_targets([page.url, other.url]), None)
        told.look(datetime.now(UTC) + timedelta(seconds=2))
        assert (page.events, other.events) == (["failed"], [])


def test_an_event_that_is_asked_for_later_is_not_told_of_nights_before(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle()
    told.outbox.set_targets(None, NIGHT_EVENTS)
    later = datetime.now(UTC) + timedelta(seconds=2)
    told.look(later)
    assert page.bodies == []
    told.settle(SLOT + timedelta(minutes=1), ended=later.isoformat())
    told.look(later)
    assert page.events == ["finished"]


@pytest.mark.parametrize(
    ("result", "before", "events", "event"),
    [
        ({"state": "failed"}, None, NIGHT_DEFAULTS, "failed"),
        ({"state": "failed"}, None, ("finished",), None),
        ({"state": "skipped", "reason": "its hour passed"}, None, NIGHT_DEFAULTS, "nothing_ran"),
        ({"state": "skipped", "reason": SWITCHED_OFF}, None, NIGHT_EVENTS, None),
        ({"verdict": "promoted"}, "failed", NIGHT_EVENTS, "model_changed"),
        ({"verdict": "promoted"}, "failed", ("finished", "recovered"), "recovered"),
        ({"verdict": "kept"}, "failed", NIGHT_DEFAULTS, None),
        ({"verdict": "kept"}, "finished", NIGHT_EVENTS, "finished"),
        ({"verdict": "promoted"}, None, ("finished",), "finished"),
    ],
)
def test_a_night_is_told_by_the_most_telling_event_that_is_wanted(result, before, events, event):
    at = {"slot": SLOT.isoformat(), "ended": SLOT.isoformat()}
    earlier = NightResult(state=before, **at) if before else None
    assert result_event(NightResult(**{"state": "finished", **at, **result}), earlier, events) == event


def test_a_new_champion_is_told_with_its_score_and_that_of_the_one_before(tmp_path, page):
    told = Told(tmp_path, page.url)
    store(tmp_path, songs(40))
    home = Home(tmp_path)
    for number, wrong in ((1, range(30, 36)), (2, ())):
        model = learn(tmp_path, f"r{number}", songs(30), songs(10, first=30), wrong=wrong)
        assert nightly_verdict(home, f"r{number}", model.version) == "promoted"
    told.settle(run_id="r2", model="v0002", verdict="promoted", champion="v0002", tracks={"extracted": 3})
    told.look()
    [notice] = page.bodies
    assert (notice["event"], notice["champion"], notice["verdict"]) == ("model_changed", "v0002", "promoted")
    assert (notice["model"]["version"], notice["model"]["accuracy"]) == ("v0002", 1.0)
    assert (notice["before"]["version"], notice["before"]["accuracy"]) == ("v0001", 0.4)
    assert "v0002, accuracy 100.0%" in notice["text"]
    assert "v0001, accuracy 40.0%" in notice["text"]
    assert notice["title"] == "chordal: v0002 is the new champion"


def nightly_verdict(home: Home, run_id: str, version: str) -> str:
    """Make a model the champion as the gate does."""
    from pipeline.learning.evaluation.gate import Verdict
    from storage import Champion

    before = home.champions.current()
    verdict = Verdict(version=version, state="promoted", reason="better", champion=before and before.version)
    entry = Champion(number=0, version=version, action="gate", by=f"run {run_id}", verdict=verdict, at="")
    assert home.champions.append(before, entry)
    home.champions.put_verdict(verdict)
    return verdict.state


@pytest.mark.parametrize(("missed", "words"), [("run", "it is run now"), ("skip", "it is skipped")])
def test_a_night_whose_hour_passed_while_nothing_was_up_is_told_at_the_next_start(tmp_path, page, missed, words):
    told = Told(tmp_path, page.url, missed=missed)
    told.look(SLOT + timedelta(hours=2))
    if missed == "skip":
        assert nightly.run_night(told.home, SLOT, missed=True).state == "skipped"
    told.look(SLOT + timedelta(hours=2), now_s=5.0)
    [notice] = page.bodies
    assert (notice["event"], notice["slot"]) == ("nothing_ran", SLOT.isoformat())
    assert f"its hour passed while nothing was up; {words}" in notice["text"]


def test_a_night_whose_hour_a_clock_passed_over_that_was_set_ahead_is_told(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle(SLOT - timedelta(days=1))
    told.look(SLOT - timedelta(minutes=30))
    told.look(SLOT + timedelta(minutes=30), now_s=3.0)
    assert page.bodies[0]["reason"] == "its hour passed as the clock was set ahead or the host slept; it is run now"
    told.look(SLOT - timedelta(hours=5), now_s=5.0)
    told.look(SLOT + timedelta(minutes=30), now_s=7.0)
    assert page.events == ["nothing_ran"]


def test_a_night_that_waits_long_for_another_run_is_told_and_its_result_too(tmp_path, page):
    told = Told(tmp_path, page.url)
    with announce(told.home, "r7"):
        told.look(now_s=1.0)
        told.look(now_s=WAITS_S)
        assert page.bodies == []
        told.look(now_s=WAITS_S + 2)
    assert "waits for run r7" in page.bodies[0]["reason"]
    told.settle(state="failed", reason="no sound")
    told.look(now_s=WAITS_S + 4)
    assert page.events == ["nothing_ran", "failed"]


def test_a_night_that_no_worker_begins_is_told(tmp_path, page):
    told = Told(tmp_path, page.url)
    for now_s in (1.0, STALLED_S, STALLED_S + 2, 2 * STALLED_S):
        told.look(now_s=now_s)
    [notice] = page.bodies
    assert (notice["event"], notice["reason"]) == ("nothing_ran", "no worker has begun it")


def test_a_night_that_nobody_goes_on_with_is_told_and_one_that_goes_on_is_not(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.begin("r1")
    (tmp_path / "nightly").mkdir(exist_ok=True)
    with home_lock(tmp_path / "nightly", purpose="the nightly run"):  # it scans a large library
        for now_s in (1.0, 3 * WAITS_S):
            told.look(SLOT + timedelta(hours=3), now_s=now_s)
    assert page.bodies == []
    told.look(now_s=3 * WAITS_S + STALLED_S)
    assert page.bodies[0]["reason"] == "was begun as run r1, and no worker goes on with it"


def test_a_disk_that_is_nearly_full_is_told_once_a_day(tmp_path, page, monkeypatch):
    told = Told(tmp_path, page.url, events=("disk_low",))
    monkeypatch.setattr(disk, "SHARE", 1.1)
    monkeypatch.setattr(disk, "BYTES", 1 << 62)
    begun = datetime.now(UTC)
    for hours in (0, 1, 23):
        told.look(begun + timedelta(hours=hours), now_s=1.0 + 3600 * hours, again=hours == 1)
    assert page.events == ["disk_low"]
    assert f"are free on the disk of {tmp_path}" in page.bodies[0]["text"]
    told.look(begun + timedelta(hours=25), now_s=1e6)
    assert (tmp_path / "notices").is_dir()
    assert len(list((tmp_path / "notices").glob("*-disk_low"))) == 2


def test_a_full_disk_is_told_although_nothing_can_be_written_there(tmp_path, page, monkeypatch):
    told = Told(tmp_path, page.url)

    def full(*_) -> None:
        raise outbox.StoreError("no space left")

    monkeypatch.setattr(disk, "SHARE", 1.1)
    monkeypatch.setattr(disk, "BYTES", 1 << 62)
    monkeypatch.setattr(told.outbox._documents.__class__, "publish", full)
    for now_s in (1.0, 100.0, STALLED_S + 2, 3600.0):
        told.look(now_s=now_s)
    assert page.events == ["disk_low", "nothing_ran"]


def test_a_notice_that_is_not_delivered_is_tried_again_later_and_seldom(tmp_path):
    with receivers.web(404, 404) as page:
        told = Told(tmp_path, page.url)
        told.settle(state="failed", reason="no sound")
        begun = datetime.now(UTC)
        for minutes, tries in ((0, 1), (2, 1), (6, 2), (8, 2)):
            told.look(begun + timedelta(minutes=minutes))
            assert len(page.bodies) == tries
        [last] = last_deliveries(tmp_path)
        assert (last.state, last.rounds) == ("failed", 2)
        told.look(begun + timedelta(minutes=30))
        told.look(begun + timedelta(minutes=90))
    assert last_deliveries(tmp_path)[0].state == "delivered"
    assert len(page.bodies) == 3


def test_what_cannot_be_written_down_is_not_told_again_and_again(tmp_path, page, monkeypatch):
    told = Told(tmp_path, page.url)
    told.settle(state="failed", reason="no sound")
    told.announcer.announce(ON_TIME, now_s=1.0)

    def full(*_) -> None:
        raise outbox.StoreError("no space left")

    monkeypatch.setattr(outbox.Documents, "replace", full)
    for now_s in (1.0, 3.0, 5.0):
        told.look(now_s=now_s)
    assert page.events == ["failed"]


def test_one_who_hangs_keeps_neither_the_night_nor_another_recipient_waiting(tmp_path, page):
    hanging = receivers.command(tmp_path / "commands", 'echo >> "$FOLDER/begun"; exec sleep 300')
    told = Told(tmp_path, str(hanging), page.url)
    told.settle(state="failed", reason="no sound")
    first, _ = told.announcer.check(ON_TIME, now_s=1.0)
    eventually(lambda: page.events == ["failed"])
    eventually((tmp_path / "commands" / "begun").exists)
    # nobody holds anything of the home: the next night can begin, and is told
    with home_lock(tmp_path), home_lock(tmp_path / "nightly"):
        told.settle(SLOT + timedelta(seconds=1), state="failed", reason="no sound", ended=ON_TIME.isoformat())
    [second] = told.announcer.check(ON_TIME, now_s=3.0)
    second.join()
    assert page.events == ["failed", "failed"]
    assert first.is_alive()
    assert (tmp_path / "commands" / "begun").read_text() == "\n"
    [sleeping] = [each for each in psutil.Process().children(recursive=True) if each.name() == "sleep"]
    sleeping.kill()
    first.join()


def test_two_that_look_at_once_tell_once(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle(state="failed", reason="no sound")
    told.announcer.announce(ON_TIME, now_s=1.0)
    [recipient] = told.outbox.recipients().recipients
    with outbox._lock(tmp_path / "notices" / f".lock-{recipient.name}"):
        told.look()
        assert page.bodies == []
    told.look()
    assert page.events == ["failed"]


def test_whom_to_tell_is_readable_by_its_owner_alone_and_what_was_told_shows_no_secret(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle(state="failed", reason="no sound")
    told.look()
    files = [path for path in (tmp_path / "notices").rglob("*.json") if "a-secret-topic" in path.read_text()]
    assert [path.name for path in files] == ["recipients.json"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_a_clock_that_was_ahead_for_a_while_brings_no_notice_again(tmp_path, page):
    told = Told(tmp_path, page.url)
    told.settle(state="failed", reason="no sound")
    told.look()
    told.outbox.prune(SLOT + timedelta(days=365))
    told.look(ON_TIME, again=True)
    assert page.events == ["failed"]


def test_old_notices_are_removed(tmp_path, page, monkeypatch):
    monkeypatch.setattr("workers.notices.outbox.KEPT_NOTICES", 0)
    told = Told(tmp_path, page.url)
    told.settle(state="failed", reason="no sound")
    told.look()
    told.outbox.prune(SLOT + timedelta(days=29))
    assert list((tmp_path / "notices").glob("*-result"))
    told.outbox.prune(SLOT + timedelta(days=31))
    assert not list((tmp_path / "notices").glob("*-result"))


def test_the_night_that_is_due_is_described(tmp_path):
    told = Told(tmp_path)

    def words() -> str:
        return describe_current(current_night(told.home, ON_TIME))

    assert words() == "was not begun yet"
    with home_lock(tmp_path, purpose="watching"):
        assert words() == f"waits: the home is in use by process {os.getpid()} (watching)"
    with announce(told.home, "r7"):
        assert words() == "waits for run r7"
    told.begin("r8")
    assert words() == "was begun as run r8, and no worker goes on with it"
    with announce(told.home, "r8"):
        night = current_night(told.home, ON_TIME)
    assert (night.state, night.run_id, night.since) == ("runs", "r8", ON_TIME.isoformat())
    told.settle()
    assert current_night(told.home, ON_TIME) is None
    assert json.dumps(night.to_wire())
