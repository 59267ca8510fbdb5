"""The tasks of learning: the study, a trial, the end of a run."""

from typing import Any

import redis
from celery.exceptions import Retry, TimeLimitExceeded

from pipeline.errors import TransientError, UsageError
from workers.app import canvas, task_names, task_results
from workers.app.base_task import RETRY, RunTask, exit_on_memory_error
from workers.app.celery import app
from workers.app.context import current
from workers.app.task_results import TaskResult
from workers.learning import final, trial
from workers.learning import study as learning_study


class TrialTask(RunTask):
    """A trial's task: the study waits for its outcome, so however it is lost, it is run again or recorded."""

    abstract = True

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Publish the trial again, or record why it failed; a store or broker that failed ends the run elsewhere."""
        super().on_failure(exc, task_id, args, kwargs, einfo)
        if isinstance(exc, (TransientError, redis.RedisError)):
            return
        context, run_id, index = current(), kwargs["run_id"], kwargs["index"]
        is_timeout = isinstance(exc, TimeLimitExceeded)
        reason = f"not done after {exc.args[0]} s" if is_timeout else f"{type(exc).__name__}: {exc}"
        study = context.ledger.study(run_id)
        if study and trial.retry_or_fail(context, run_id, index, reason, is_timeout=is_timeout):
            canvas.publish_trial(context.ledger.plan(run_id), study, index)

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
    """Create the study and start its chord of trials."""
    context = current()
    if context.counters.is_cancelled(run_id):
        return TaskResult("cancelled", {"trials": 0})
    try:
        study = learning_study.create_study(context, run_id)
    except UsageError as error:
        context.ledger.fail(run_id, str(error))
        return TaskResult(f"refused: {error}", {"trials": 0, "refused": str(error)})
    missing = learning_study.unfinished_trials(context, run_id)
    canvas.publish_trials(context.ledger.plan(run_id), study, missing=missing)
    return TaskResult(f"{len(study.indices)} trials", {"trials": len(study.indices)})


@app.task(name=task_names.RUN_TRIAL, base=TrialTask, bind=True, **RETRY)
@exit_on_memory_error
def run_trial(self: TrialTask, *, run_id: str, index: int, waited: int = 0) -> TaskResult:
    """Run one trial; returns its objective, also for a trial that failed."""
    context = current()
    if context.counters.is_cancelled(run_id):
        return TaskResult("cancelled", {"trial": index, "state": "cancelled"})
    outcome = trial.run_trial(context, run_id, index)
    if outcome is not None:
        context.counters.add(run_id, trials=1)
        return task_results.trial_result(outcome)
    if (pause_s := trial.pause_s(waited)) is not None:
        raise self.later(pause_s, run_id=run_id, index=index, waited=waited + 1)
    return TaskResult("waits for other trials", {"trial": index, "state": "waits"})


@app.task(name=task_names.FINISH_RUN, base=RunTask, **RETRY)
@exit_on_memory_error
def finish_run(*, run_id: str) -> TaskResult:
    """Finish a run; returns its model and test accuracy, or why there are none."""
    end = final.finish_run(current(), run_id)
    if isinstance(end, final.FinishedRun):
        return task_results.run_result(end.report, end.verdict)
    words = {"cancelled": "cancelled", "waits": f"not yet: {end.reason}", "failed": f"failed: {end.reason}"}
    reason = {"reason": end.reason} if end.state == "failed" else {}
    return TaskResult(words[end.state], {"run": run_id, "state": end.state, **reason})
