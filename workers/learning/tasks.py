"""The tasks, each a door: it turns the wire form into a value, calls one function and returns a small receipt."""

from typing import Any

import redis
from celery.exceptions import Retry, TimeLimitExceeded

from pipeline.errors import ChordalError, TransientError, UsageError
from workers.app import canvas, context, task_names, task_results
from workers.app.base_task import RETRY, RunTask, exit_on_memory_error
from workers.app.celery import app
from workers.app.task_results import TaskResult
from workers.learning import final, trial
from workers.learning import study as learning_study


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
        if study and trial.lost_trial(here, run_id, index, reason, is_timeout=is_timeout):
            canvas.publish_trial(here.ledger.plan(run_id), study, index)

    def later(self, countdown_s: float, **kwargs: Any) -> Retry:
        """Send the task again, to be run after a countdown, and return what it has to raise.

        Unlike a retry it is none of the attempts that errors are allowed; no process waits with it.
        """
        again = self.signature_from_request(kwargs=kwargs, countdown=countdown_s, retries=self.request.retries)
        again.apply_async()
        return Retry(when=countdown_s, sig=again)


@app.task(name=task_names.PLAN_TRIALS, base=RunTask, **RETRY)
@exit_on_memory_error
def plan_trials(*, run_id: str) -> TaskResult:
    """Draw up the study and start its chord of trials."""
    here = context.current()
    if here.counters.is_cancelled(run_id):
        return TaskResult("cancelled", {"trials": 0})
    try:
        study = learning_study.draw_up_study(here, run_id)
    except UsageError as error:
        here.ledger.fail(run_id, str(error))
        return TaskResult(f"refused: {error}", {"trials": 0, "refused": str(error)})
    canvas.publish_trials(here.ledger.plan(run_id), study, missing=learning_study.unended(here, run_id))
    return TaskResult(f"{len(study.indices)} trials", {"trials": len(study.indices)})


LONGEST_WAIT_S = 15
MOST_WAITS = 400
"""Times a trial waits for others, an hour and a half in all, before it leaves that to the sweep."""


@app.task(name=task_names.RUN_TRIAL, base=TrialTask, bind=True, **RETRY)
@exit_on_memory_error
def run_trial(self: TrialTask, *, run_id: str, index: int, waited: int = 0) -> TaskResult:
    """Run one trial; returns its objective, also for a trial that failed."""
    here = context.current()
    if here.counters.is_cancelled(run_id):
        return TaskResult("cancelled", {"trial": index, "state": "cancelled"})
    outcome = trial.try_one(here, run_id, index)
    if outcome is None and waited < MOST_WAITS:
        pause_s = min(2**waited, LONGEST_WAIT_S)
        raise self.later(pause_s, run_id=run_id, index=index, waited=waited + 1)
    if outcome is None:
        return TaskResult("waits for other trials", {"trial": index, "state": "waits"})
    here.counters.add(run_id, trials=1)
    return task_results.trial_result(outcome)


@app.task(name=task_names.FINISH_RUN, base=RunTask, **RETRY)
@exit_on_memory_error
def finish_run(*, run_id: str) -> TaskResult:
    """Train the winner, evaluate it once, register it, hold it against the champion and write the report."""
    from workers.learning import mlflow_tracking, outputs, promotion
    from workers.learning import report as learning_report  # with matplotlib, which no other task needs

    here = context.current()
    if here.counters.is_cancelled(run_id):
        return TaskResult("cancelled", {"run": run_id, "state": "cancelled"})
    if missing := learning_study.unended(here, run_id):
        # A body may run early; the sweep publishes what is missing, and the end again.
        return TaskResult(f"not yet: {len(missing)} trials have not ended", {"run": run_id, "state": "waits"})
    if here.counters.attempt(run_id, "finish") > here.settings.attempts:
        reason = f"the final training ended its worker {here.settings.attempts} times; see logs/"
        here.ledger.fail(run_id, reason)
        return TaskResult(f"failed: {reason}", {"run": run_id, "state": "failed", "reason": reason})
    try:
        report = final.finish(here, run_id)
        outputs.measure(here, run_id)
        verdict = promotion.decide(here, run_id)
        mlflow_tracking.log_run(here, run_id)
        learning_report.write(here, run_id)
    except TransientError:
        raise
    except MemoryError as error:
        # Celery would end the whole worker over it.
        reason = f"the final training needs more memory than there is ({error})"
        here.ledger.fail(run_id, reason)
        return TaskResult(f"failed: {reason}", {"run": run_id, "state": "failed", "reason": reason})
    except ChordalError as error:
        here.ledger.fail(run_id, str(error))
        return TaskResult(f"failed: {error}", {"run": run_id, "state": "failed", "reason": str(error)})
    return task_results.run_result(report, verdict)
