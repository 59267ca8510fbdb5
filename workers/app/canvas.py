"""How tasks are joined and published: a chord of files per shard, then one chord of trials per run.

All tasks of runs are published here: by the command, by a chord's body or by the sweep; each may be published again.
"""

from collections.abc import Sequence
from typing import Any

from celery import Signature, uuid

from pipeline.learning.study.trials import StudyPlan
from pipeline.library.tracks import ExtractTrack
from pipeline.plans.run import RunPlan
from pipeline.text import printable
from workers.app import context
from workers.app.celery import app
from workers.app.task_names import EXTRACT_TRACK, FINISH_RUN, PLAN_TRIALS, RUN_TRIAL, SEAL_SHARD
from workers.broker.priorities import body_priority, header_priority


def publish_shard(plan: RunPlan, shard: int, orders: Sequence[ExtractTrack]) -> None:
    """Publish a shard: a task per file, and a body that seals it; with no file to extract, the body alone."""
    body = _task(SEAL_SHARD, run_id=plan.run_id, shard=shard).set(
        argsrepr=f"(shard {shard})", priority=body_priority(plan.priority)
    )
    if not orders:
        body.apply_async()
        return
    header = [
        _task(EXTRACT_TRACK, order.to_wire()).set(
            argsrepr=f"({printable(order.path)}, {', '.join(order.families)})",
            # The order is the one argument; of the other tasks the run and the shard are keyword arguments already.
            kwargsrepr=repr({"run_id": plan.run_id, "shard": shard}),
            priority=header_priority(plan.priority),
        )
        for order in orders
    ]
    _publish_chord(header, body)


def publish_plan(plan: RunPlan) -> None:
    """Publish the task that draws up the study."""
    _task(PLAN_TRIALS, run_id=plan.run_id).apply_async(argsrepr="(the study)", priority=body_priority(plan.priority))


def publish_trials(plan: RunPlan, study: StudyPlan, *, missing: Sequence[int]) -> None:
    """Publish the learning chord: the trials that have no outcome yet, then the final training."""
    header = [_trial(plan, study, index) for index in sorted(missing)]
    body = _task(FINISH_RUN, run_id=plan.run_id).set(argsrepr="(final training)", priority=body_priority(plan.priority))
    if header:
        _publish_chord(header, body)
    else:
        body.apply_async()


def publish_trial(plan: RunPlan, study: StudyPlan, index: int) -> None:
    """Publish one trial again, beside the chord whose task for it is lost; the sweep publishes the end then."""
    _trial(plan, study, index).apply_async()


def _trial(plan: RunPlan, study: StudyPlan, index: int) -> Signature:
    """Return the task of a trial, which ends by force at the recipe's limit if that is below the worker's."""
    model, limit_s = study.models[study.model_of(index)], plan.recipe.search.limit_s
    options = {} if limit_s is None else {"time_limit": min(limit_s, context.current().settings.learn_limit_s)}
    return _task(RUN_TRIAL, run_id=plan.run_id, index=index).set(
        argsrepr=f"(trial {index}: {model.family} on {model.features})",
        priority=header_priority(plan.priority),
        **options,
    )


def _task(name: str, *args: Any, **kwargs: Any) -> Signature:
    """Return a task to be published, by its name: whoever publishes need not have the code that carries it out.

    Without a result in the backend, as all tasks of the application are; the name alone would not say so.
    """
    return app.signature(name, args=args, kwargs=kwargs, immutable=True, options={"ignore_result": True})


def _publish_chord(header: Sequence[Signature], body: Signature) -> None:
    """Publish the tasks of a chord, each with the body.

    As Celery's canvas does, but without a result object and a subscription for each task: nobody would read them, and
    they fail a command when the broker goes away. Many messages go in one round trip, where the transport can.
    """
    group_id = uuid()
    body.freeze()
    app.backend.set_chord_size(group_id, len(header))
    with app.producer_pool.acquire(block=True) as producer, producer.batch():
        for place, task in enumerate(header):
            task.apply_async(producer=producer, group_id=group_id, group_index=place, chord=body)
