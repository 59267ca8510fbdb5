"""The tasks, each a door: it turns the wire form into a value, calls one function and returns a small receipt."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import redis
from celery import Task
from celery.exceptions import Retry, TimeLimitExceeded
from celery.utils.log import get_task_logger

from pipeline.errors import ChordalError, StoreError, TransientError, UsageError
from pipeline.tracks import ExtractTrack
from workers import context, extracting, flow, learning, sealing, shown
from workers.app import app
from workers.settings import BACKOFF_S
from workers.shown import Shown

log = get_task_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RETRY: dict[str, Any] = {
    "autoretry_for": (TransientError, redis.RedisError),
    "retry_backoff": True,
    "retry_backoff_max": BACKOFF_S,
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


class TrialTask(RunTask):
    """A trial's task: the study waits for its outcome, so however it is lost, it is tried again or recorded."""

    abstract = True

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Publish the trial again, or record why it failed; a store or broker that failed ends the run elsewhere."""
        super().on_failure(exc, task_id, args, kwargs, einfo)
        if isinstance(exc, (TransientError, redis.RedisError)):
            return
        here, run_id, index = context.current(), kwargs["run_id"], kwargs["index"]
        is_timeout = isinstance(exc, TimeLimitExceeded)
        reason = f"not done after {exc.args[0]} s" if is_timeout else f"{type(exc).__name__}: {exc}"
        study = here.ledger.study(run_id)
        if study and learning.lost_trial(here, run_id, index, reason, is_timeout=is_timeout):
            flow.publish_trial(here.ledger.plan(run_id), study, index)

    def later(self, countdown_s: float, **kwargs: Any) -> Retry:
        """Send the task again, to be run after a countdown, and return what it has to raise.

        Unlike a retry it is none of the attempts that errors are allowed; no process waits with it.
        """
        again = self.signature_from_request(kwargs=kwargs, countdown=countdown_s, retries=self.request.retries)
        again.apply_async()
        return Retry(when=countdown_s, sig=again)


def ending_without_memory(work: Callable[P, R]) -> Callable[P, R]:
    """Let a task's process end when memory runs out where that is nobody's failure, as if the kernel had ended it.

    The attempt counts, and the next one is made by a new process, with nothing left over in it. Celery's main process
    does not survive a task's `MemoryError`.
    """

    @wraps(work)
    def working(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except MemoryError as error:
            # Let go of the frames, and with them of what filled the memory: there has to be some for the line.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            log.error("out of memory (%s); this process ends", error)  # noqa: TRY400 - there is no traceback any more
            raise SystemExit(1) from None

    return working


@app.task(name="chordal.extract.track", base=RunTask, **RETRY)
@ending_without_memory
def extract_track(order: dict[str, Any]) -> Shown:
    """Extract one file; returns its receipt, also for a file that has no features."""
    return shown.receipt(extracting.extract_one(ExtractTrack.from_wire(order), context.current()))


@app.task(name="chordal.store.seal", base=RunTask, **RETRY)
@ending_without_memory
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
@ending_without_memory
def plan_trials(*, run_id: str) -> Shown:
    """Draw up the study and start its chord of trials."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return Shown("cancelled", {"trials": 0})
    try:
        study = learning.draw_up_study(here, run_id)
    except UsageError as error:
        here.ledger.fail(run_id, str(error))
        return Shown(f"refused: {error}", {"trials": 0, "refused": str(error)})
    flow.publish_trials(here.ledger.plan(run_id), study, missing=learning.unended(here, run_id))
    return Shown(f"{len(study.indices)} trials", {"trials": len(study.indices)})


LONGEST_WAIT_S = 15
MOST_WAITS = 400
"""Times a trial waits for others, an hour and a half in all, before it leaves that to the sweep."""


@app.task(name="chordal.tune.trial", base=TrialTask, bind=True, **RETRY)
@ending_without_memory
def run_trial(self: TrialTask, *, run_id: str, index: int, waited: int = 0) -> Shown:
    """Run one trial; returns its objective, also for a trial that failed."""
    here = context.current()
    if here.counters.cancelled(run_id):
        return Shown("cancelled", {"trial": index, "state": "cancelled"})
    outcome = learning.try_one(here, run_id, index)
    if outcome is None and waited < MOST_WAITS:
        pause_s = min(2**waited, LONGEST_WAIT_S)
        raise self.later(pause_s, run_id=run_id, index=index, waited=waited + 1)
    if outcome is None:
        return Shown("waits for other trials", {"trial": index, "state": "waits"})
    here.counters.add(run_id, trials=1)
    return shown.trial(outcome)


@app.task(name="chordal.train.finish", base=RunTask, **RETRY)
@ending_without_memory
def finish_run(*, run_id: str) -> Shown:
    """Train the winner, evaluate it once, register it, hold it against the champion and write the report."""
    from workers import gating, outputs, reporting, tracking  # with matplotlib, which no other task needs

    here = context.current()
    if here.counters.cancelled(run_id):
        return Shown("cancelled", {"run": run_id, "state": "cancelled"})
    if missing := learning.unended(here, run_id):
        # A body may run early; the sweep publishes what is missing, and the end again.
        return Shown(f"not yet: {len(missing)} trials have not ended", {"run": run_id, "state": "waits"})
    if here.counters.attempt(run_id, "finish") > here.settings.attempts:
        reason = f"the final training ended its worker {here.settings.attempts} times; see logs/"
        here.ledger.fail(run_id, reason)
        return Shown(f"failed: {reason}", {"run": run_id, "state": "failed", "reason": reason})
    try:
        report = learning.finish(here, run_id)
        outputs.measure(here, run_id)
        verdict = gating.decide(here, run_id)
        tracking.tell(here, run_id)
        reporting.write(here, run_id)
    except TransientError:
        raise
    except MemoryError as error:
        # Celery would end the whole worker over it.
        reason = f"the final training needs more memory than there is ({error})"
        here.ledger.fail(run_id, reason)
        return Shown(f"failed: {reason}", {"run": run_id, "state": "failed", "reason": reason})
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
