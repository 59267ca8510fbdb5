from datetime import UTC, datetime

import pytest
from model_homes import learn, songs, store

from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.recipe import load_recipe
from pipeline.plans.run import RunPlan
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.runs.active import announce
from workers.runs.state import STOPPED
from workers.schedule import maintenance, nightly, recovery
from workers.schedule.nights import Attempt, Nights, Schedule

SLOT = datetime(2026, 7, 24, 1, tzinfo=UTC)
NOW = "2026-07-24T01:00:00+00:00"


@pytest.fixture
def context(tmp_path) -> Context:
    """A home with a schedule, and a broker that nothing here may reach."""
    Nights(tmp_path).put_schedule(Schedule(nightly="0 3 * * *", timezone="Europe/Berlin", missed="skip", since=NOW))
    return Context(Settings(home=str(tmp_path), broker=BrokerAddress(url="redis://127.0.0.1:1/0")))


def leave_run(context: Context, run_id: str, *, libraries: tuple[str, ...] = ("/music",), created: str = NOW) -> None:
    """Write a run that was scanned and then left behind."""
    plan = RunPlan(
        run_id=run_id,
        command=("chordal",),
        libraries=libraries,
        recipe=load_recipe("quick"),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=1,
        created=created,
    )
    context.ledger.create(plan)
    track = ScannedTrack(track_id=track_id("/music/a"), path="/music/a", stamp=FileStamp(size_bytes=1, mtime_ns=1))
    context.ledger.write_shard(run_id, 0, [track])
    context.ledger.close_scan(run_id, 1)


def begin(context: Context, number: int, run_id: str) -> None:
    """Begin the night as a worker that then died."""
    Nights(context.path).begin(SLOT, number, Attempt(run_id=run_id, host="studio", pid=1, started=NOW))


def test_a_missed_night_is_skipped_where_that_is_wanted(context):
    result = nightly.run_night(context, SLOT, missed=True)
    assert (result.state, result.reason) == ("skipped", "its hour passed while nothing was up")
    assert nightly.run_night(context, SLOT, missed=False) == result  # what is settled stays


def test_a_night_waits_for_a_run_that_goes_on(context):
    with announce(context, "r1"):
        assert nightly.run_night(context, SLOT, missed=False) is None
    assert Nights(context.path).attempts(SLOT) == []


def test_a_night_whose_run_ended_without_its_worker_is_settled_by_the_ledger(context):
    leave_run(context, "r1")
    context.ledger.fail("r1", "no two classes")
    begin(context, 1, "r1")
    result = nightly.run_night(context, SLOT, missed=False)
    assert (result.state, result.run_id, result.reason) == ("failed", "r1", "no two classes")


def test_a_night_that_takes_its_process_down_each_time_is_given_up(context):
    for number in range(1, context.settings.attempts + 1):
        begin(context, number, f"r{number}")  # runs that never came to be
    result = nightly.run_night(context, SLOT, missed=False)
    assert result.state == "failed"
    assert "took its process down" in result.reason


def test_a_night_that_cannot_begin_says_why(context):
    result = nightly.run_night(context, SLOT, missed=False)
    assert result.state == "failed"
    assert "127.0.0.1:1" in result.reason  # the broker


def test_a_run_left_behind_is_found(context):
    leave_run(context, "r1")
    assert recovery.abandoned_run(context) == "r1"


def test_a_run_that_somebody_waits_for_stopped_or_cancelled_is_not_left_behind(context):
    leave_run(context, "r1")
    with announce(context, "r1"):
        assert recovery.abandoned_run(context) is None
    context.ledger.claim("r1", STOPPED)
    assert recovery.abandoned_run(context) is None
    leave_run(context, "r2", created="2026-07-25T01:00:00+00:00")
    context.ledger.claim("r2", "cancelled")
    assert recovery.abandoned_run(context) is None


def test_a_later_run_over_the_same_libraries_supersedes_one_that_was_left_behind(context):
    leave_run(context, "r1")
    leave_run(context, "r2", libraries=("/other",), created="2026-07-25T01:00:00+00:00")
    context.ledger.fail("r2", "whatever")
    assert recovery.abandoned_run(context) == "r1"
    leave_run(context, "r3", created="2026-07-26T01:00:00+00:00")
    context.ledger.fail("r3", "whatever")
    assert recovery.abandoned_run(context) is None


def test_the_store_is_tidied_up_and_that_is_remembered(context):
    found = maintenance.tidy(context)
    assert found.compaction == "nothing"
    assert Nights(context.path).last_maintenance() == found


def test_old_models_and_runs_go_as_the_schedule_says(context):
    store(context.path, songs(40))
    for number in range(1, 4):
        learn(context.path, f"r{number}", songs(30), songs(10, first=30))
        context.ledger.close_scan(f"r{number}", 1)
        (context.ledger.path(f"r{number}") / "report.html").write_text("page", "utf-8")
    nights = Nights(context.path)
    known = Schedule(since=NOW, libraries=("/music",))
    nights.put_schedule(known)
    assert (maintenance.tidy(context).models, maintenance.tidy(context).runs) == (0, 0)
    nights.put_schedule(known.replace(keep_models=1, keep_runs=2))
    found = maintenance.tidy(context)
    assert (found.models, found.runs) == (2, 1)
    assert context.registry.names() == ["v0003"]
    assert context.ledger.run_ids() == ["r2", "r3"]


def test_a_night_measures_mono_files_as_the_schedule_says(tmp_path):
    recipe = tmp_path / "loud.toml"
    recipe.write_text('name = "l"\ntitle = "L"\n[[models]]\nfamily = "logistic"\nfeatures = "ebu_r128"\n', "utf-8")
    schedule = Schedule(since=NOW, recipe=str(recipe), libraries=("/music",))
    assert nightly.nightly_request(schedule, broker=None).recipe.families == ("ebu_r128",)
    dual = nightly.nightly_request(schedule.replace(dual_mono=True), broker=None)
    assert dual.recipe.families == ("ebu_r128_dual_mono",)
