"""One trial of a study: run it once, and record how it ended."""

from typing import Literal

from pipeline.errors import StoreError
from pipeline.learning.study.trials import TrialOutcome, TrialSpec
from storage.home import Home
from workers.app.context import Context
from workers.extraction.failures import HOST
from workers.learning import oracle
from workers.learning.study import study
from workers.processes import memory_limit


def try_one(context: Context, run_id: str, index: int) -> TrialOutcome | None:
    """Run one trial and record how it ended; a trial that has ended is not run again.

    Executions that ended before the process of an earlier attempt died are not run again either. None when there is
    no configuration for it until other trials have ended.
    """
    from pipeline.learning.training.executions import reason_of
    from pipeline.learning.training.trial import run_trial

    ledger = context.ledger
    if (done := ledger.outcome(run_id, index)) is not None:
        return done
    spec = oracle.next_spec(context, run_id, index)
    if spec == "wait":
        return None
    if spec == "exhausted":
        return _record(context, run_id, index, "skipped", "the search has no configuration left for it")
    attempt = ledger.start_trial(run_id, index)
    if attempt > context.settings.attempts:
        reason = (
            f"took its worker down {attempt - 1} times, or was killed with it; most often because memory ran out: "
            "see logs/"
        )
        return _record(context, run_id, index, "failed", reason, attempts=attempt - 1)
    manifest, split = study(context, run_id)
    logs = ledger.logs(run_id) / "tensorboard" / f"trial-{index:04d}"
    try:
        with memory_limit.limit_memory(), context.store.hold() as snapshot:
            outcome = run_trial(
                spec,
                ledger.plan(run_id).recipe,
                manifest,
                split,
                snapshot,
                done=ledger.executions(run_id, index),
                keep=lambda execution: ledger.put_execution(run_id, execution),
                logs=logs,
            )
    except MemoryError as error:
        # Celery would end the whole worker over it.
        return _record(context, run_id, index, "failed", reason_of(error), attempts=attempt)
    ledger.put_outcome(outcome.replace(host=HOST, attempts=attempt))
    return ledger.outcome(run_id, index)


def lost_trial(context: Context, run_id: str, index: int, reason: str, *, is_timeout: bool) -> bool:
    """Say whether a trial whose task ended without an outcome should be tried again; if not, record why.

    Told by a worker's parent, which has killed the trial's process, or by a task that raised what it should not. One
    that hangs has the recipe's retries, one that was lost in another way the worker's attempts.
    """
    ledger = context.ledger
    begun = len(ledger.starts(run_id, index))
    if ledger.outcome(run_id, index) is not None or not begun:
        return False  # it has ended after all, or never got as far as a model: the sweep sees to it
    allowed = ledger.plan(run_id).recipe.search.retries + 1 if is_timeout else context.settings.attempts
    if begun < allowed:
        return True
    _record(context, run_id, index, "failed", reason, attempts=begun)
    return False


def _record(
    home: Home,
    run_id: str,
    index: int,
    state: Literal["failed", "skipped"],
    reason: str,
    *,
    attempts: int = 0,
) -> TrialOutcome:
    """Record the end of a trial that no model was fitted for to the end, and return how it ended."""
    ledger = home.ledger
    spec = ledger.trial(run_id, index) or _unknown(home, run_id, index)
    done = tuple(execution.replace(fits=()) for execution in ledger.executions(run_id, index))
    outcome = TrialOutcome(
        spec=spec,
        state=state,
        executions=done,
        seconds=sum(execution.seconds for execution in done),
        host=HOST,
        attempts=attempts,
        reason=reason,
    )
    ledger.put_outcome(outcome)
    return ledger.outcome(run_id, index) or outcome


def _unknown(home: Home, run_id: str, index: int) -> TrialSpec:
    """Return what is known of a trial that was handed no configuration."""
    planned, plan = home.ledger.study(run_id), home.ledger.plan(run_id)
    if planned is None:
        raise StoreError(f"run {run_id}: its study is missing from the ledger")
    model = planned.models[planned.model_of(index)]
    return TrialSpec(
        run_id=run_id,
        index=index,
        family=model.family,
        features=model.features,
        hyperparameters={},
        seed=plan.seed + index,
    )
