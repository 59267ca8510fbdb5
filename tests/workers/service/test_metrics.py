"""What Prometheus gets of a home."""

import socket
from datetime import datetime

import pytest
from homes import run_plan
from prometheus_client import CollectorRegistry, generate_latest

from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.run import ShardSummary
from storage import Champions, RunLedger
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.runs.active import announce
from workers.schedule.nights import NightResult, Nights, Schedule
from workers.service.metrics import HomeCollector

NOW = "2026-07-24T01:00:00+00:00"


def scraped(home, broker) -> dict[str, float]:
    """Return what Prometheus would get, by name and labels."""
    registry = CollectorRegistry()
    registry.register(HomeCollector(Home(home), broker))
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_prometheus_gets_counts_queues_states_and_the_last_night(tmp_path, broker):
    # given a run with one of two shards sealed, some files counted, a task waiting, a night that ended
    ledger = RunLedger(tmp_path)
    plan = run_plan("r1", created=NOW)
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
    nights.put_schedule(Schedule(nightly="0 3 * * *", since=NOW))
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


def test_metrics_say_when_the_broker_is_away(tmp_path):
    found = scraped(tmp_path, BrokerAddress(url="redis://127.0.0.1:1/0"))
    assert found['chordal_source_up{source="broker"}'] == 0
    assert found['chordal_source_up{source="ledger"}'] == 1
    assert "chordal_audio_seconds_total" not in found


def open_run(home: Home, run_id: str, *, sequence: int, shards: int = 2) -> None:
    """Begin a run of ten files a shard, of which the first is sealed."""
    plan = run_plan(run_id, sequence=sequence, created=NOW)
    home.ledger.create(plan)
    for shard in range(shards):
        paths = [f"/music/{shard}/{number}" for number in range(10)]
        stamp = FileStamp(size_bytes=1, mtime_ns=1)
        tracks = [ScannedTrack(track_id=track_id(path), path=path, stamp=stamp) for path in paths]
        home.ledger.write_shard(run_id, shard, tracks)
    home.ledger.close_scan(run_id, shards)
    home.ledger.seal(run_id, ShardSummary(shard=0, extracted=9, failed=1))


def test_prometheus_gets_how_far_each_run_is_and_how_long_it_takes(tmp_path, broker):
    # given a run that goes on, of which 15 of 20 files are settled, and a newer one that does not
    home, counters = Home(tmp_path), Counters(broker.client())
    open_run(home, "r1", sequence=1)
    open_run(home, "r2", sequence=2, shards=1)
    for number in range(15):
        counters.begin("r1", str(number))
        outcome = "failed" if number == 14 else "extracted"
        counters.settle("r1", str(number), outcome, kind="empty" if outcome == "failed" else None, audio_s=1.0)
    with announce(home, "r1"):
        found = scraped(tmp_path, broker)
    # then
    assert found['chordal_run_files{run="r1"}'] == 20
    assert found['chordal_run_files_settled{outcome="extracted",run="r1"}'] == 14
    assert found['chordal_run_files_settled{outcome="failed",run="r1"}'] == 1
    assert found['chordal_run_settled_ratio{run="r1"}'] == 0.75
    assert found['chordal_run_failed_ratio{run="r1"}'] == pytest.approx(1 / 15)
    assert found['chordal_run_stage{run="r1",stage="extract"}'] == 1
    rate = found['chordal_run_files_per_second{run="r1"}']
    assert found['chordal_run_remaining_seconds{run="r1"}'] == pytest.approx(5 / rate)
    assert (found['chordal_run_active{run="r1"}'], found['chordal_run_active{run="r2"}']) == (1, 0)
    # and of the one whose files are all settled nothing is left
    assert found['chordal_run_settled_ratio{run="r2"}'] == 1
    # and without the broker what is sealed still counts
    away = scraped(tmp_path, BrokerAddress(url="redis://127.0.0.1:1/0"))
    assert away['chordal_run_settled_ratio{run="r2"}'] == 1
    assert away["chordal_broker_up"] == 0


def test_a_figure_that_cannot_be_had_takes_no_other_with_it(tmp_path, broker):
    # given a run, a newer one whose study is damaged, a schedule and a champion that cannot be read
    home = Home(tmp_path)
    open_run(home, "r1", sequence=1)
    open_run(home, "r2", sequence=2)
    (home.ledger.path("r2") / "failure.json").write_text("{")
    (tmp_path / "schedule.json").write_text("{")
    Champions(tmp_path).promote("v0003")
    # when
    with announce(home, "r1"):
        found = scraped(tmp_path, broker)
    # then
    failed = {name for name, error in found.items() if name.startswith("chordal_metric_errors") and error}
    names = ("runs", "run_trials", "run_progress", "schedule")
    assert failed == {f'chordal_metric_errors{{name="{name}"}}' for name in names}
    assert found['chordal_source_up{source="ledger"}'] == 0
    assert found['chordal_run_settled_ratio{run="r1"}'] == 0.5
    assert found["chordal_runs"] == 2
    assert found["chordal_champion_changes"] == 1
    assert found['chordal_queue_depth{queue="extract"}'] == 0
    assert found["chordal_home_free_bytes"] > 0


def test_a_rabbitmq_that_is_silent_does_not_hold_the_page(tmp_path, broker):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        found = scraped(tmp_path, BrokerAddress(url=f"amqp://127.0.0.1:{port}//;{broker.url}"))
    assert found["chordal_broker_up"] == 0
    assert found['chordal_metric_errors{name="queue_depth"}'] == 1
    assert found['chordal_metric_errors{name="tracks"}'] == 0


def test_a_broker_whose_user_may_not_ask_for_its_memory_is_up_without_that_figure(tmp_path, broker):
    client = broker.client()
    client.acl_setuser("worker", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], categories=["+@all"])
    client.execute_command("ACL", "SETUSER", "worker", "-@dangerous")
    limited = BrokerAddress(url=broker.url.replace("://", "://worker:secret@"))
    try:
        found = scraped(tmp_path, limited)
    finally:
        client.acl_deluser("worker")
    assert "chordal_broker_memory_bytes" in scraped(tmp_path, broker)
    assert "chordal_broker_memory_bytes" not in found
    assert (found["chordal_broker_up"], found['chordal_source_up{source="broker"}']) == (1.0, 1.0)


def test_a_broker_that_refuses_what_work_needs_is_not_up_but_is_read(tmp_path, broker):
    client = broker.client()
    client.acl_setuser("worker", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], categories=["+@all"])
    client.execute_command("ACL", "SETUSER", "worker", "-brpop")
    try:
        found = scraped(tmp_path, BrokerAddress(url=broker.url.replace("://", "://worker:secret@")))
    finally:
        client.acl_deluser("worker")
    assert (found["chordal_broker_up"], found['chordal_source_up{source="broker"}']) == (0.0, 1.0)
