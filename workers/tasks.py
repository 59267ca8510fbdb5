"""The tasks, each a door: it turns the wire form into a value, calls one function and returns a small receipt."""

from typing import Any

import redis
from celery import Task
from celery.exceptions import TimeLimitExceeded
from celery.utils.log import get_task_logger

from pipeline.errors import ChordalError, StoreError, TransientError, UsageError
from pipeline.tracks import ExtractTrack
from workers import context, extracting, flow, learning, sealing
from workers.app import app

log = get_task_logger(__name__)

RETRY: dict[str, Any] = {
    "autoretry_for": (TransientError, redis.RedisError),
    "retry_backoff": True,
    "retry_backoff_max": 30,
    "max_retries": 5,
    "default_retry_delay": 1,  # seconds; of a task whose worker was lost, 180 otherwise
}


class RunTask(Task):  # type: ignore[misc]
    """A task that, when it fails for good, tells the run why; the waiting command shows it."""

    abstract = True

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Leave a line for the command that waits, and stop the run when the store cannot be written."""
        order = args[0] if args and isinstance(args[0], dict) else {}
        run_id = kwargs.get("run_id") or order.get("run_id")
        if run_id is None:
            return
        counters = context.current().counters
        if isinstance(exc, TimeLimitExceeded) and "track_id" in order:
            # Told by the worker's parent, which has just killed the process; the next delivery records it.
            counters.time_out(run_id, order["track_id"])
        counters.trouble(run_id, f"{self.name}: {exc}")
        if isinstance(exc, StoreError):
            counters.stop(run_id, str(exc))


@app.task(name="chordal.extract.track", base=RunTask, **RETRY)
def extract_track(order: dict[str, Any]) -> dict[str, Any]:
    """Extract one file; returns its receipt, also for a file that has no features."""
    return extracting.extract_one(ExtractTrack.from_wire(order), context.current()).to_wire()


@app.task(name="chordal.store.seal", base=RunTask, **RETRY)
def seal_shard(*, run_id: str, shard: int) -> dict[str, Any]:
    """Seal a shard whose files are all settled; the last one starts learning."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return {"shard": shard, "sealed": False}
    summary = sealing.seal(here, run_id, shard)
    if summary is None:
        return {"shard": shard, "sealed": False}
    if sealing.ready_to_learn(here, run_id):
        flow.publish_plan(run_id)
    return {"sealed": True, **summary.to_wire()}


@app.task(name="chordal.tune.plan", base=RunTask, **RETRY)
def plan_trials(*, run_id: str) -> dict[str, Any]:
    """Draw up the study and start its chord of trials."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return {"trials": 0}
    try:
        trials = learning.draw_up_study(here, run_id)
    except UsageError as error:
        here.ledger.fail(run_id, str(error))
        return {"trials": 0, "refused": str(error)}
    flow.publish_trials(run_id, trials, missing=[trial.index for trial in trials])
    return {"trials": len(trials)}


@app.task(name="chordal.tune.trial", base=RunTask, **RETRY)
def run_trial(*, run_id: str, index: int) -> dict[str, Any]:
    """Run one trial; returns its objective, also for a trial that failed."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return {"trial": index, "state": "cancelled"}
    outcome = learning.try_one(here, run_id, index)
    here.counters.add(run_id, trials=1)
    return {
        "trial": index,
        "model": outcome.spec.family,
        "state": outcome.state,
        "validation_accuracy": round(outcome.objective, 4),
        "reason": outcome.reason,
    }


@app.task(name="chordal.train.finish", base=RunTask, **RETRY)
def finish_run(*, run_id: str) -> dict[str, Any]:
    """Train the winner, evaluate it once, register it and write the report."""
    from workers import reporting  # with matplotlib, which no other task needs

    here = context.current()
    if here.counters.cancelled(run_id):
        return {"run": run_id, "state": "cancelled"}
    if here.counters.attempt(run_id, "finish") > here.settings.attempts:
        here.ledger.fail(run_id, f"the final training ended its worker {here.settings.attempts} times; see logs/")
        return {"run": run_id, "state": "failed"}
    try:
        report = learning.finish(here, run_id)
        reporting.write(here, run_id)
    except TransientError:
        raise
    except ChordalError as error:
        here.ledger.fail(run_id, str(error))
        return {"run": run_id, "state": "failed", "reason": str(error)}
    return {"run": run_id, "model": report.model.version, "test_accuracy": round(report.test.accuracy, 4)}
