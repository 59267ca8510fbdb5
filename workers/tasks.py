"""The tasks, each a door: it turns the wire form into a value, calls one function and returns a small receipt."""

from datetime import datetime
from typing import Any

import redis
from celery import Task
from celery.exceptions import TimeLimitExceeded
from celery.utils.log import get_task_logger

from pipeline.errors import ChordalError, StoreError, TransientError, UsageError
from pipeline.tracks import ExtractTrack
from workers import context, extracting, flow, learning, sealing, shown
from workers.app import app
from workers.shown import Shown

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

    def signature_from_request(self, request: Any = None, *args: Any, **options: Any) -> Any:
        """Return the task to be sent again, its arguments as readable as the first time."""
        again = super().signature_from_request(request, *args, **options)
        asked = self.request if request is None else request
        return again.set(argsrepr=asked.argsrepr, kwargsrepr=asked.kwargsrepr)


@app.task(name="chordal.extract.track", base=RunTask, **RETRY)
def extract_track(order: dict[str, Any]) -> Shown:
    """Extract one file; returns its receipt, also for a file that has no features."""
    return shown.receipt(extracting.extract_one(ExtractTrack.from_wire(order), context.current()))


@app.task(name="chordal.store.seal", base=RunTask, **RETRY)
def seal_shard(*, run_id: str, shard: int) -> Shown:
    """Seal a shard whose files are all settled; the last one starts learning."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return Shown("cancelled", {"shard": shard, "sealed": False})
    summary = sealing.seal(here, run_id, shard)
    if summary is None:
        return Shown("not sealed: files are missing still", {"shard": shard, "sealed": False})
    if sealing.ready_to_learn(here, run_id):
        flow.publish_plan(here.ledger.plan(run_id))
    return shown.sealed(summary)


@app.task(name="chordal.tune.plan", base=RunTask, **RETRY)
def plan_trials(*, run_id: str) -> Shown:
    """Draw up the study and start its chord of trials."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return Shown("cancelled", {"trials": 0})
    try:
        trials = learning.draw_up_study(here, run_id)
    except UsageError as error:
        here.ledger.fail(run_id, str(error))
        return Shown(f"refused: {error}", {"trials": 0, "refused": str(error)})
    flow.publish_trials(here.ledger.plan(run_id), trials, missing=[trial.index for trial in trials])
    return Shown(f"{len(trials)} trials", {"trials": len(trials)})


@app.task(name="chordal.tune.trial", base=RunTask, **RETRY)
def run_trial(*, run_id: str, index: int) -> Shown:
    """Run one trial; returns its objective, also for a trial that failed."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return Shown("cancelled", {"trial": index, "state": "cancelled"})
    outcome = learning.try_one(here, run_id, index)
    here.counters.add(run_id, trials=1)
    return shown.trial(outcome)


@app.task(name="chordal.train.finish", base=RunTask, **RETRY)
def finish_run(*, run_id: str) -> Shown:
    """Train the winner, evaluate it once, register it, hold it against the champion and write the report."""
    from workers import gating, reporting, tracking  # with matplotlib, which no other task needs

    here = context.current()
    if here.counters.cancelled(run_id):
        return Shown("cancelled", {"run": run_id, "state": "cancelled"})
    if here.counters.attempt(run_id, "finish") > here.settings.attempts:
        reason = f"the final training ended its worker {here.settings.attempts} times; see logs/"
        here.ledger.fail(run_id, reason)
        return Shown(f"failed: {reason}", {"run": run_id, "state": "failed", "reason": reason})
    try:
        report = learning.finish(here, run_id)
        verdict = gating.decide(here, run_id)
        tracking.tell(here, run_id)
        reporting.write(here, run_id)
    except TransientError:
        raise
    except ChordalError as error:
        here.ledger.fail(run_id, str(error))
        return Shown(f"failed: {error}", {"run": run_id, "state": "failed", "reason": str(error)})
    return shown.finished(report, verdict)


@app.task(name="chordal.schedule.nightly")
def nightly(*, slot: str, missed: bool) -> Shown:
    """Carry out the run of a night that is due."""
    from workers import conducting

    result = conducting.night(context.current(), datetime.fromisoformat(slot), missed=missed)
    if result is None:
        return Shown("waits: the home is in use", {"slot": slot})
    return Shown(conducting.words(result), result.to_wire())


@app.task(name="chordal.schedule.reconcile")
def reconcile() -> str:
    """Bring a run to its end whose command died."""
    from workers import conducting

    return conducting.reconcile(context.current())


@app.task(name="chordal.schedule.tidy")
def tidy() -> dict[str, Any]:
    """Compact the store and collect what nobody refers to."""
    from workers import conducting

    return conducting.tidy(context.current()).to_wire()
