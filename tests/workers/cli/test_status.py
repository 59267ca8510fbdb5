"""`chordal status`: each figure by itself, one count of the files, and what is at work around a run."""

import json
import os
import socket
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from homes import scan, small_home

from storage import RunLedger
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.cli import main
from workers.runs.active import announce
from workers.schedule.nights import NightResult, Nights, Schedule
from workers.service import state as service_state
from workers.service.state import Process, Service

SCHEDULE = Schedule(nightly="0 3 * * *", since="2026-01-01T00:00:00+00:00", libraries=("/music",))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home with six files, whose run is not over."""
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.delenv("CHORDAL_BROKER", raising=False)
    small_home(tmp_path)
    return tmp_path


@pytest.fixture
def status(capsys):
    """Run `chordal status --json ...` and return what it printed."""

    def run(*words: str):
        main(["status", "--json", *words])
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def rows(capsys):
    """Run `chordal status ...` and return its rows by name."""

    def run(*words: str) -> dict[str, str]:
        main(["status", *words])
        return {name: words.strip() for name, _, words in (line.partition(" ") for line in printed(capsys))}

    return run


def printed(capsys) -> list[str]:
    return capsys.readouterr().out.splitlines()


def service(**more) -> Service:
    """Return the state of a service that this process is."""
    return Service(
        **{
            "host": socket.gethostname(),
            "process": Process.of(os.getpid()),
            "state": "ready",
            "broker": BrokerAddress(url="redis://:secret@127.0.0.1:1/0"),
            "embedded": False,
            "workers": 2,
            "since": "2026-07-24T01:00:00+00:00",
            **more,
        }
    )


DAMAGED = {
    "store/store.json": {"ledger", "tags"},
    "store/manifest/*1.json": {"ledger", "tags"},
    "store/parts/tracks*.h5": {"ledger", "tags"},
    "runs/run-1/shards/00000.json": {"files", "ledger"},
    "runs/run-1/scan.json": {"shards", "stage", "ledger"},
    "runs/run-1/study.json": {"trials", "stage"},
    "runs/run-1/report.json": {"report"},
    "runs/run-1/failure.json": {"failure"},
    "runs/run-0/plan.json": {"runs", "ledger"},
    "service.json": {"service"},
    "schedule.json": {"night"},
}
"""Files of a home that may be damaged, and the figures that are then not to be had."""


@pytest.mark.parametrize("name", DAMAGED)
def test_a_figure_that_cannot_be_had_takes_no_other_with_it(home, status, rows, name):
    # given a home, and one of its files damaged
    whole = status()
    path = next(home.glob(name), home / name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\xff\x00 no such thing")
    # when
    found, shown = status(), rows()
    # then the figure is null, its reason is told, and the others are what they were
    assert set(found["errors"]) == DAMAGED[name]
    for figure, reason in found["errors"].items():
        assert found.get(figure) is None or figure == "failure"
        assert path.name in reason or "store" in reason or "service" in figure
        assert shown[figure].startswith("cannot be read: ") or figure == "failure"
    missing = {*DAMAGED[name], "seconds", *(("tracks",) if "files" in DAMAGED[name] else ())}  # seconds: a file's time
    missing |= {"remarks"} if "ledger" in missing else set()
    if "report" not in missing and "failure" not in missing:
        assert {key: value for key, value in found.items() if key not in {*missing, "errors"}} == {
            key: value for key, value in whole.items() if key not in missing
        }


def test_files_are_counted_one_way_while_their_shards_are_open(home, status, rows, session_broker):
    counters = Counters(session_broker.client())
    counters.restart("run-1", unchanged=1)
    for track in "abc":
        counters.begin("run-1", track)
        counters.settle("run-1", track, "extracted", audio_s=2.0)
    counters.begin("run-1", "d")
    counters.settle("run-1", "d", "failed", kind="empty")
    # when there is a broker that has counted
    found = status("--broker", session_broker.url)
    assert found["files"] == {"settled": 5, "of": 6, "at_least": False}
    assert found["tracks"] == {"extracted": 3, "unchanged": 1, "failed": 1}
    assert (found["live"]["done"], found["live"]["files"]) == (5, 6)
    assert rows("--broker", session_broker.url)["files"] == "5 of 6 (83%): extracted 3, unchanged 1, failed 1"
    # and when there is none
    assert status()["files"] == {"settled": 0, "of": 6, "at_least": True}
    assert rows()["files"].startswith("at least 0 of 6 (0%): extracted 0, ")


def test_a_damaged_heartbeat_hides_nothing_else_of_the_broker(home, status, empty_broker):
    client = empty_broker.client()
    client.sadd("chordal:workers", "extract@studio")
    client.set("chordal:version:extract@studio", "{")
    found = status("--broker", empty_broker.url)
    assert set(found["errors"]) == {"live.workers"}
    assert found["live"]["workers"] is None
    assert found["live"]["queues"] == {"extract": 0, "store": 0, "tune": 0, "train": 0}
    assert found["broker"] == {"address": empty_broker.url, "answers": True}


def test_a_broker_that_hangs_is_named_and_all_else_is_told(home, status, session_broker):
    process = psutil.Process(session_broker.client().info("server")["process_id"])
    process.suspend()
    try:
        found = status("--broker", session_broker.url)
    finally:
        process.resume()
    assert found["broker"]["answers"] is False
    assert found["broker"]["reason"] == found["errors"]["broker"]
    assert (found["live"], sum(found["ledger"].values())) == (None, 6)


def test_a_broker_that_is_away_is_shown_without_its_password(home, rows):
    service_state.write(home, service())
    shown = rows()
    assert shown["broker"].startswith("redis://:***@127.0.0.1:1/0 cannot be used: ")
    assert shown["service"].startswith(f"ready since 2026-07-24T01:00:00+00:00, process {os.getpid()} on ")


def test_a_service_that_died_is_told_and_so_is_what_starts_it_again(home, status, rows):
    mine = Process.of(os.getpid())
    service_state.write(home, service(process=mine.replace(began=mine.began - 100)))
    assert status()["service"]["state"] == "died"
    assert rows()["service"].startswith("died: ")
    assert "`chordal up` starts it again" in rows()["service"]
    assert "broker" not in status()


def test_what_keeps_dying_in_a_service_is_told_with_the_reason(home, status, rows):
    service_state.write(home, service(troubles={"flower": "died 4 times: port 5555 is taken"}))
    assert status()["service"]["troubles"] == {"flower": "died 4 times: port 5555 is taken"}
    assert rows()["trouble"] == "flower: died 4 times: port 5555 is taken"


def test_the_private_broker_of_a_service_elsewhere_is_not_asked(home, rows):
    service_state.write(home, service(host="studio", embedded=True))
    assert rows()["broker"].endswith("cannot be used: it is private to the service on studio; ask there")


def test_other_runs_that_go_on_are_named(home, status, rows, empty_broker):
    counters = Counters(empty_broker.client())
    for run_id in ("run-1", "elsewhere"):
        counters.begin(run_id, "a")
        counters.settle(run_id, "a", "extracted")
    scan(home, {"/music/9.wav": ("odd", None)}, number=2)
    with announce(Home(home), "run-2"):
        found = status("--run", "run-1", "--broker", empty_broker.url)
        assert found["other_runs"] == [
            {"run_id": "run-2", "home": True},
            {"run_id": "elsewhere", "home": False},
        ]
        shown = rows("--run", "run-1", "--broker", empty_broker.url)["other_runs"]
        assert shown == "run-2 in this home; elsewhere of another home on this broker"
    assert "other_runs" not in status("--run", "run-1")


def test_the_night_is_told(home, status, rows):
    Nights(home).put_schedule(SCHEDULE)
    with announce(Home(home), "run-1"):
        assert status()["night"]["current"]["state"] == "waits"
        assert "waits for run run-1, since " in rows()["night"]
    assert "no service is up for it" in rows()["night"]


def test_a_record_of_a_night_that_is_damaged_does_not_hide_the_next(home, status, rows):
    nights = Nights(home)
    nights.put_schedule(SCHEDULE)
    result = NightResult(slot="2026-02-01T03:00:00+00:00", state="failed", ended="2026-02-01T04:00:00+00:00")
    nights.settle(datetime.fromisoformat(result.slot), result)
    next(home.glob("nightly/*/result.json")).write_text("{", "ascii")
    assert "errors" not in status()
    assert status()["night"]["next"] is not None
    assert "result.json: is not a readable NightResult" in rows()["night"]
    assert "the next is due " in rows()["night"]


def test_a_run_whose_broker_cannot_be_known_says_how_to_name_it(home, status, rows):
    with announce(Home(home), "run-1"):
        (home / "going" / "run-1.json").write_text("{", "ascii")
        assert "name it with --broker" in status()["errors"]["broker"]
        assert rows()["broker"].startswith("cannot be read: the run's file does not tell which it is (")


def test_a_home_without_a_run_tells_of_its_service(tmp_path, monkeypatch, status, rows):
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path))
    service_state.write(tmp_path, service())
    assert status()["run_id"] is None
    assert rows()["run_id"].startswith("none yet")


def test_a_run_whose_plan_is_damaged_is_named_when_it_is_asked_for(home, capsys):
    path = RunLedger(home).path("run-0")
    path.mkdir()
    (path / "plan.json").write_text("{", "ascii")
    with pytest.raises(SystemExit) as ended:
        main(["status", "--run", "run-0"])
    assert ended.value.code == 2
    assert "run-0/plan.json" in capsys.readouterr().err


def test_a_run_that_is_being_scanned_says_how_many_files_are_found(home, rows):
    (home / "runs" / "run-1" / "scan.json").unlink()
    shown = rows()
    assert (shown["stage"], shown["files"]) == ("scan", "6 found so far")
