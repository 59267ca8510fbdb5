"""What is kept in the broker, with a real one."""

import pytest
from conditions import eventually

from pipeline.learning.study.trials import PlannedModel, StudyPlan
from pipeline.plans.recipe import load_recipe
from pipeline.plans.run import RunPlan
from workers.app import canvas
from workers.app.settings import QUEUES
from workers.broker.counters import Counters
from workers.broker.heartbeats import Crew, Presence
from workers.broker.rate_limit import RateLimit


@pytest.fixture
def client(lasting_broker):
    """A client of an empty broker that the application publishes to."""
    return lasting_broker.client()


def plan(run_id: str, priority="normal") -> RunPlan:
    return RunPlan(
        run_id=run_id,
        command=(),
        libraries=(),
        recipe=load_recipe("quick"),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=1,
        created="",
        priority=priority,
    )


def publish_trials(of: RunPlan, count: int) -> None:
    model = PlannedModel(name="00-svm", family="svm", features="mfcc_mean", oracle="random", trials=tuple(range(count)))
    canvas.publish_trials(of, StudyPlan(strategy="random", models=(model,)), missing=range(count))


def test_tasks_of_every_priority_are_counted(client):
    counters = Counters(client)
    for number, priority in enumerate(("high", "normal", "low"), start=1):
        publish_trials(plan(f"run-{priority}", priority), number)
    assert counters.depths(QUEUES) == {"extract": 0, "store": 0, "tune": 6, "train": 0}
    assert counters.queued(QUEUES) == 6


def test_a_runs_tasks_are_taken_back_and_no_others(client):
    counters = Counters(client)
    publish_trials(plan("run-one"), 5)
    publish_trials(plan("run-two"), 3)
    canvas.publish_plan(plan("run-one", "high"))
    assert counters.withdraw(QUEUES, "run-one") == 6
    assert counters.queued(QUEUES) == 3
    assert counters.withdraw(QUEUES, "run-one") == 0


def test_files_are_counted_by_outcome_and_kind_and_give_a_pace(client):
    counters = Counters(client)
    for track in ("t1", "t2", "t3", "t4"):
        counters.begin("run", track)
    for track in ("t1", "t2", "t3"):
        counters.settle("run", track, "extracted", audio_s=2.0)
    counters.settle("run", "t4", "failed", kind="too_short")
    counters.add("run", unchanged=10)
    progress = counters.progress("run")
    assert (progress["extracted"], progress["failed"], progress["unchanged"], progress["audio_s"]) == (3, 1, 10, 6.0)
    assert counters.failures(progress) == {"too_short": 1}
    pace = counters.pace("run")
    # what was there already is no work
    assert pace.audio_s_per_s / pace.files_per_s == pytest.approx(1.5)


def test_of_two_deliveries_of_a_task_that_end_at_once_one_counts(client):
    counters = Counters(client)
    for _ in range(2):
        counters.begin("run", "t1")
    for _ in range(2):
        counters.settle("run", "t1", "extracted", audio_s=2.0)
    assert counters.progress("run")["extracted"] == 1


def test_a_run_without_files_has_no_pace(client):
    assert Counters(client).pace("run").files_per_s == 0.0


def test_leave_is_given_once_per_file_to_all_workers_together(client):
    one, other = RateLimit(client), RateLimit(client)
    assert one.take(1) == 0.0
    assert 50 < other.take(1) <= 60
    assert 50 < one.take(1) <= 60


def test_a_raised_cap_does_not_wait_for_the_lower_one(client):
    cap = RateLimit(client)
    assert cap.take(1) == 0.0
    assert cap.take(600) <= 0.1


def test_no_more_leave_is_saved_up_than_for_some_seconds(client):
    cap = RateLimit(client)
    given = sum(cap.take(60) == 0.0 for _ in range(100))
    assert 4 <= given <= 10


def test_workers_that_tell_of_themselves_are_known_until_they_leave(client):
    crew = Crew(client)
    presence = Presence(name="extract@here", host="here", processes=2, queues=("extract", "store"))
    crew.tell(presence)
    crew.tell(presence.replace(name="learn@here", doing="paused"))
    first, second = crew.workers()
    assert (first.name, first.alive, second.doing) == ("extract@here", True, "paused")
    crew.leave("extract@here")
    client.pexpire("chordal:worker:learn@here", 3_000_000)
    [silent] = crew.workers()
    assert not silent.alive
    client.pexpire("chordal:worker:learn@here", 1)
    eventually(lambda: crew.workers() == [])
