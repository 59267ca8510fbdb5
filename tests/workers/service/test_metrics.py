"""What Prometheus gets of a home."""

from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest

from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.recipe import load_recipe
from pipeline.plans.run import RunPlan, ShardSummary
from storage import Champions, RunLedger
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
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
        created=NOW,
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
