"""How tasks are joined: a chord of files per shard, then one chord of trials per run.

Published here and nowhere else, by the command, by a chord's body or by the sweep; each may be published again.
"""

from collections.abc import Iterable, Sequence

from celery import Signature, uuid

from pipeline.learning import TrialSpec
from pipeline.runs import RunPlan
from pipeline.tracks import ExtractTrack, printable
from workers.app import app
from workers.priorities import of_bodies, of_headers


def publish_shard(plan: RunPlan, shard: int, orders: Sequence[ExtractTrack]) -> None:
    """Publish a shard: a task per file, and a body that seals it; with no file to extract, the body alone."""
    from workers.tasks import extract_track, seal_shard

    body = seal_shard.si(run_id=plan.run_id, shard=shard).set(
        argsrepr=f"(shard {shard})", priority=of_bodies(plan.priority)
    )
    if not orders:
        body.apply_async()
        return
    header = [
        extract_track.s(order.to_wire()).set(
            argsrepr=f"({printable(order.path)}, {', '.join(order.families)})", priority=of_headers(plan.priority)
        )
        for order in orders
    ]
    _publish_chord(header, body)


def publish_plan(plan: RunPlan) -> None:
    """Publish the task that draws up the study."""
    from workers.tasks import plan_trials

    plan_trials.si(run_id=plan.run_id).apply_async(argsrepr="(the study)", priority=of_bodies(plan.priority))


def publish_trials(plan: RunPlan, trials: Iterable[TrialSpec], *, missing: Sequence[int]) -> None:
    """Publish the learning chord: the trials that have no outcome yet, then the final training."""
    from workers.tasks import finish_run, run_trial

    wanted = set(missing)
    header = [
        run_trial.si(run_id=plan.run_id, index=trial.index).set(
            argsrepr=f"(trial {trial.index}: {trial.family} on {trial.features} {trial.hyperparameters})",
            priority=of_headers(plan.priority),
        )
        for trial in trials
        if trial.index in wanted
    ]
    body = finish_run.si(run_id=plan.run_id).set(argsrepr="(final training)", priority=of_bodies(plan.priority))
    if header:
        _publish_chord(header, body)
    else:
        body.apply_async()


def _publish_chord(header: Sequence[Signature], body: Signature) -> None:
    """Publish tasks and, with each, what joins them.

    What Celery's canvas does, less a result object and a subscription for each task, which nobody would read and a
    command would stumble over when the broker goes away; and by many messages a round trip, where the transport can.
    """
    group_id = uuid()
    body.freeze()
    app.backend.set_chord_size(group_id, len(header))
    with app.producer_pool.acquire(block=True) as producer, producer.batch():
        for place, task in enumerate(header):
            task.apply_async(producer=producer, group_id=group_id, group_index=place, chord=body)
