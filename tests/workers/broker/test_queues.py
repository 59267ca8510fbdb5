"""Messages in the queues of a real broker."""

import json

from pipeline.learning.study.trials import PlannedModel, StudyPlan
from pipeline.plans.recipe import load_recipe
from pipeline.plans.run import RunPlan
from workers.app import canvas
from workers.app.settings import QUEUES
from workers.broker.priorities import STEPS, queue_key
from workers.broker.queues import Queues


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
    queues = Queues(client)
    for number, priority in enumerate(("high", "normal", "low"), start=1):
        publish_trials(plan(f"run-{priority}", priority), number)
    assert queues.depths(QUEUES) == {"extract": 0, "store": 0, "tune": 6, "train": 0}
    assert queues.queued(QUEUES) == 6


def test_a_runs_tasks_are_taken_back_and_no_others(client):
    queues = Queues(client)
    publish_trials(plan("run-one"), 5)
    publish_trials(plan("run-two"), 3)
    canvas.publish_plan(plan("run-one", "high"))
    assert queues.withdraw(QUEUES, "run-one") == 6
    assert queues.queued(QUEUES) == 3
    assert queues.withdraw(QUEUES, "run-one") == 0


def test_what_a_lost_worker_held_of_a_run_that_ended_is_dropped_and_nothing_else(client):
    # given a message of each of two runs that a worker took and never acknowledged, as kombu keeps them
    for run_id in ("run-one", "run-two"):
        publish_trials(plan(run_id), 1)
        (message,) = [found for step in STEPS if (found := client.rpop(queue_key("tune", step))) is not None]
        client.hset("unacked-learn", f"tag {run_id}", json.dumps([json.loads(message), "tune", "tune"]))
        client.zadd("unacked-learn-index", {f"tag {run_id}": 1.0})
    queues = Queues(client)

    assert queues.forget_run("run-one") == 1
    assert queues.unacknowledged() == client.zcard("unacked-learn-index") == 1
    assert queues.has_messages(QUEUES, "run-two")
    assert queues.forget_run("run-one") == 0
