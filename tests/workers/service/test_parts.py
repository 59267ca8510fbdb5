"""The parts of a service that need no service: its state, what Flower shows, who may see it, what Prometheus gets."""

import json
import os
import stat
from datetime import datetime

import pytest
from kombu.utils.json import dumps
from prometheus_client import CollectorRegistry, generate_latest

from pipeline.errors import UsageError
from pipeline.library.tracks import FileStamp, Receipt, ScannedTrack, track_id
from pipeline.plans.recipe import load_recipe
from pipeline.plans.run import RunPlan, ShardSummary
from storage import Champions, RunLedger
from storage.home import Home, holder, only_one
from workers.app import task_results
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.schedule.nights import NightResult, Nights, Schedule
from workers.service import flower
from workers.service import state as service_state
from workers.service.metrics import HomeCollector
from workers.service.state import Process, Service
from workers.service.supervisor import Page

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it


def state(**more) -> Service:
    """Return the state of a service that this process is."""
    return Service(
        **{
            "host": os.uname().nodename,
            "process": Process.of(os.getpid()),
            "state": "ready",
            "broker": BrokerAddress(url="redis://:secret@127.0.0.1:1/0"),
            "embedded": True,
            "workers": 1,
            "since": service_state.now(),
            **more,
        }
    )


def test_the_state_is_for_its_owners_eyes_only(tmp_path):
    service_state.write(tmp_path, state())
    assert stat.S_IMODE((tmp_path / service_state.STATE).stat().st_mode) == 0o600
    assert (
        service_state.find(tmp_path) == service_state.read(tmp_path) == state(since=service_state.read(tmp_path).since)
    )


def test_a_process_that_came_later_with_the_same_number_is_no_service(tmp_path):
    mine = Process.of(os.getpid())
    service_state.write(tmp_path, state(process=mine.replace(began=mine.began - 100)))
    assert service_state.find(tmp_path) is None


def test_a_service_with_a_private_broker_on_another_host_is_named(tmp_path):
    service_state.write(tmp_path, state(host="studio"))
    with pytest.raises(UsageError, match="studio"):
        service_state.find(tmp_path)
    with pytest.raises(UsageError, match="studio"):
        service_state.take_down(tmp_path)


def test_a_service_that_starts_or_stops_is_not_used(tmp_path):
    service_state.write(tmp_path, state(state="starting"))
    with pytest.raises(UsageError, match="starting"):
        service_state.find(tmp_path)


def test_a_state_file_of_another_version_is_none(tmp_path):
    (tmp_path / service_state.STATE).write_text(json.dumps({"pid": 1}))
    assert service_state.read(tmp_path) is None


@pytest.mark.parametrize(
    ("address", "auth"), [("127.0.0.1", None), ("::1", None), ("localhost", None), (ANYWHERE, "me:secret")]
)
def test_flower_may_be_shown_to_this_host_or_behind_a_password(address, auth):
    flower.check_guarded(address, auth)


@pytest.mark.parametrize(
    ("address", "auth"), [(ANYWHERE, None), ("::", None), ("studio", None), ("127.0.0.1", "me"), ("::1", ":x")]
)
def test_flower_is_shown_to_nobody_else(address, auth):
    with pytest.raises(UsageError, match="flower"):
        flower.check_guarded(address, auth)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (ANYWHERE, "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("studio", "http://studio:80"),
    ],
)
def test_a_page_is_told_by_an_address_that_this_host_can_open(address, url):
    assert Page(address=address, port=80).url == url


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        ({"outcome": "extracted", "audio_s": 210.2}, "extracted, 3:30 of audio"),
        ({"outcome": "unchanged", "audio_s": 3723}, "unchanged, 1:02:03 of audio"),
        ({"outcome": "failed", "kind": "empty", "reason": "no\nsamples"}, r"failed (empty): no\nsamples"),
        ({"outcome": "cancelled"}, "cancelled"),
    ],
)
def test_a_receipt_is_a_sentence_for_people_and_json_for_the_broker(receipt, words):
    told = Receipt(track_id="1", path="/a.wav", **receipt)
    result = task_results.receipt(told)
    assert repr(result) == words
    assert json.loads(dumps(result)) == told.to_wire()


def test_whoever_looks_at_the_lock_does_not_take_it(tmp_path):
    assert holder(tmp_path) is None
    with only_one(tmp_path, doing="the nightly run"):
        assert holder(tmp_path) == f"process {os.getpid()} (the nightly run)"
        with pytest.raises(UsageError, match="nightly run"), only_one(tmp_path):
            pass
    assert holder(tmp_path) is None


def scraped(home, broker) -> dict[str, float]:
    """Return what Prometheus would get, by name and labels."""
    registry = CollectorRegistry()
    registry.register(HomeCollector(Home(home), broker))
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_prometheus_gets_counts_queues_states_and_the_last_night(tmp_path, broker):
    # given a run with one of two shards sealed, some files counted, a task waiting, a night that ended
    ledger = RunLedger(tmp_path)
    plan = RunPlan(
        run_id="r1",
        command=("chordal",),
        libraries=("/music",),
        recipe=load_recipe("quick"),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=1,
        created=service_state.now(),
    )
    ledger.create(plan)
    track = ScannedTrack(track_id=track_id("/music/a"), path="/music/a", stamp=FileStamp(size_bytes=1, mtime_ns=1))
    for shard in range(2):
        ledger.write_shard("r1", shard, [track])
    ledger.close_scan("r1", 2)
    ledger.seal("r1", ShardSummary(shard=0, extracted=1))
    counters = Counters(broker.client())
    for track in ("t1", "t2", "t3"):
        counters.begin("r1", track)
    counters.settle("r1", "t1", "extracted", audio_s=12.5)
    counters.settle("r1", "t2", "unchanged", audio_s=100.0)
    counters.settle("r1", "t3", "failed", kind="empty")
    broker.client().rpush("extract", "a task")
    nights = Nights(tmp_path)
    nights.put_schedule(Schedule(nightly="0 3 * * *", since=service_state.now()))
    slot = datetime.fromisoformat("2026-07-24T01:00:00+00:00")
    nights.settle(
        slot,
        NightResult(
            slot=slot.isoformat(),
            state="finished",
            test_accuracy=0.9,
            verdict="kept",
            started="2026-07-24T01:00:00+00:00",
            ended="2026-07-24T01:01:00+00:00",
        ),
    )

    Champions(tmp_path).promote("v0003")

    # when
    found = scraped(tmp_path, broker)

    # then
    assert found['chordal_tracks_total{outcome="extracted"}'] == 1
    assert found['chordal_track_failures_total{kind="empty"}'] == 1
    assert found["chordal_audio_seconds_total"] == 12.5
    assert found['chordal_queue_depth{queue="extract"}'] == 1
    assert found['chordal_run_shards{state="sealed"}'] == 1
    assert found['chordal_run_shards{state="open"}'] == 1
    assert found['chordal_run_info{recipe="quick",run="r1",stage="extract"}'] == 1
    assert found["chordal_nightly_last_test_accuracy"] == 0.9
    assert found["chordal_nightly_last_duration_seconds"] == 60
    assert found["chordal_nightly_last_success"] == 1
    assert found["chordal_nightly_last_promoted"] == 0
    assert found['chordal_champion_info{action="promote",version="v0003"}'] == 1
    assert found["chordal_champion_changes"] == 1
    assert found["chordal_nightly_next_timestamp_seconds"] > 0
    assert {name: up for name, up in found.items() if "source_up" in name} == {
        f'chordal_source_up{{source="{name}"}}': 1.0 for name in ("broker", "ledger", "nights", "champion")
    }


def test_prometheus_is_told_when_the_broker_is_away(tmp_path):
    found = scraped(tmp_path, BrokerAddress(url="redis://127.0.0.1:1/0"))
    assert found['chordal_source_up{source="broker"}'] == 0
    assert found['chordal_source_up{source="ledger"}'] == 1
    assert "chordal_audio_seconds_total" not in found
