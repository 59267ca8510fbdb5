"""How tasks ended whose last event was lost, by what the home has of them."""

from datetime import UTC, datetime

import pytest

from pipeline.library.tracks import Failure, FileStamp, ScannedTrack, TrackRecord, track_id
from pipeline.plans.run import ShardSummary
from storage.home import Home
from workers.app import task_names
from workers.runs.state import CANCELLED
from workers.schedule.nights import Attempt, Maintenance, NightResult, Nights
from workers.service.task_endings import OpenTask, endings, run_of_night, shown_kwargs

SLOT = datetime(2026, 7, 24, 1, 0, tzinfo=UTC)
STAMP = FileStamp(size_bytes=1, mtime_ns=1)


@pytest.fixture
def home(tmp_path, plan) -> Home:
    """A home with a run of two shards, of which the first is sealed."""
    found = Home(tmp_path)
    found.ledger.create(plan)
    for shard in range(2):
        path = f"/music/{shard}.wav"
        found.ledger.write_shard("r1", shard, [ScannedTrack(track_id=track_id(path), path=path, stamp=STAMP)])
    found.ledger.close_scan("r1", 2)
    found.ledger.seal("r1", ShardSummary(shard=0, extracted=1, audio_s=60.0))
    return found


def task(name: str, *, args: str = "", **kwargs) -> OpenTask:
    return OpenTask(uuid="t", name=name, args=args, kwargs=kwargs, since_s=0.0)


def end_of(home: Home, open_task: OpenTask):
    return endings(home, [open_task]).get("t")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (task_names.EXTRACT_TRACK, "settled: shard 0 is sealed (by the ledger)"),
        (task_names.SEAL_SHARD, "1 extracted, 1:00 of audio (by the ledger)"),
    ],
)
def test_a_task_of_a_sealed_shard_has_ended(home, name, words):
    assert end_of(home, task(name, run_id="r1", shard=0)) == ("succeeded", words)
    assert end_of(home, task(name, run_id="r1", shard=1)) is None


def test_a_file_of_an_open_shard_has_ended_when_the_store_has_all_of_it(home):
    other = task(task_names.EXTRACT_TRACK, args="(/music/2.wav, mfcc_mean)", run_id="r1", shard=1)
    own = task(task_names.EXTRACT_TRACK, args="(/music/1.wav, mfcc_mean)", run_id="r1", shard=1)
    assert end_of(home, own) is None
    path, failure = "/music/1.wav", Failure(kind="empty", reason="0 s of audio")
    home.store.commit(
        TrackRecord(track_id=track_id(path), path=path, stamp=STAMP, sequence=1, content_hash="", failure=failure),
        {},
        {},
    )
    assert end_of(home, own) == ("succeeded", "settled (by the store)")
    assert end_of(home, other) is None


def test_tasks_of_a_run_that_cannot_go_on_or_was_cancelled_have_ended(home):
    trial = task(task_names.RUN_TRIAL, run_id="r1", index=0)
    assert end_of(home, trial) is None
    home.ledger.claim("r1", CANCELLED)
    assert end_of(home, trial) == ("revoked", "the run was cancelled")
    home.ledger.fail("r1", "no labels")
    assert end_of(home, trial) == ("failed", "the run failed: no labels")


@pytest.mark.parametrize("run_id", ["r2", "../r1", "/etc"])
def test_tasks_of_a_run_that_is_not_there_have_ended(home, run_id):
    assert end_of(home, task(task_names.FINISH_RUN, run_id=run_id)) == ("revoked", "its run is no longer in the home")


def test_tasks_of_the_schedule_have_ended_by_what_they_left(home):
    nights = Nights(home.path)
    night, tidy = task(task_names.NIGHTLY, slot=SLOT.isoformat(), missed=False), task(task_names.TIDY)
    nights.begin(SLOT, 1, Attempt(run_id="r1", host="studio", pid=1, started=SLOT.isoformat()))
    assert end_of(home, night) is None
    assert end_of(home, tidy) is None
    assert run_of_night(home, night.kwargs) == "r1"
    nights.settle(SLOT, NightResult(slot=SLOT.isoformat(), state="failed", reason="no library", ended=SLOT.isoformat()))
    nights.put_maintenance(Maintenance(ended=SLOT.isoformat(), compaction="nothing", segments=0, removed=0))
    assert end_of(home, night) == ("succeeded", "failed: no library (by the ledger)")
    assert end_of(home, tidy) == ("succeeded", "nothing (by the ledger)")
    # with nobody at a run that was left behind, the search for one is over
    assert end_of(home, task(task_names.RECONCILE)).state == "succeeded"


@pytest.mark.parametrize(
    ("text", "kwargs"),
    [("{'run_id': 'r1', 'shard': 0}", {"run_id": "r1", "shard": 0}), ("{'run_id': ...", {}), (None, {}), ("[1]", {})],
)
def test_shown_arguments_are_read_or_count_as_none(text, kwargs):
    assert shown_kwargs(text) == kwargs
