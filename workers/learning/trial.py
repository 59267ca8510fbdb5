"""One trial of a study: run it once, and record how it ended."""

from pathlib import Path
from typing import Literal

from pipeline.errors import StoreError
from pipeline.learning.study.trials import TrialOutcome, TrialSpec
from pipeline.learning.training import trial as training
from pipeline.learning.training.executions import reason_of
from pipeline.learning.training.final import beaten_trials
from pipeline.learning.training.kept_models import FOLDER, delete_beaten
from storage.home import Home
from workers.app.context import Context
from workers.extraction.failures import HOST
from workers.learning import oracle
from workers.learning.study import dataset_and_split
from workers.processes import memory_limit


def run_trial(context: Context, run_id: str, index: int) -> TrialOutcome | None:
    """Run one trial and record how it ended; a trial that has ended is not run again.

    Executions that ended before the process of an earlier attempt died are not run again either. None when there is
    no configuration for it until other trials have ended.
    """
    ledger = context.ledger
    if (known := ledger.outcome(run_id, index)) is not None:
        return known
    spec = oracle.trial_spec(context, run_id, index)
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
    manifest, split = dataset_and_split(context, run_id)
    logs = ledger.logs(run_id) / "tensorboard" / f"trial-{index:04d}"
    try:
        with memory_limit.limit_memory(), context.store.hold() as snapshot:
            outcome = training.run_trial(
                spec,
                ledger.plan(run_id).recipe,
                manifest,
                split,
                snapshot,
                done=ledger.executions(run_id, index),
                keep=lambda execution: ledger.put_execution(run_id, execution),
                logs=logs,
                models=kept_models(context, run_id),
            )
    except MemoryError as error:
        # Celery would end the whole worker over it.
        return _record(context, run_id, index, "failed", reason_of(error), attempts=attempt)
    ledger.put_outcome(outcome.replace(host=HOST, attempts=attempt))
    if not (recipe := ledger.plan(run_id).recipe).search.refit:
        delete_beaten(kept_models(context, run_id), beaten_trials(recipe, split, ledger.outcomes(run_id)))
    return ledger.outcome(run_id, index)


def kept_models(home: Home, run_id: str) -> Path:
    """Return where the models of a run's best trials are kept until one is delivered."""
    return home.ledger.path(run_id) / FOLDER


def retry_or_fail(context: Context, run_id: str, index: int, reason: str, *, is_timeout: bool) -> bool:
    """Return whether a trial whose task ended without an outcome is to be run again; if not, record why it failed.

    Called by the worker's main process, which has killed the trial's, or by a task that raised what it should not.
    """
    ledger = context.ledger
    starts = len(ledger.starts(run_id, index))
    if ledger.outcome(run_id, index) is not None or not starts:
        return False  # it has ended after all, or never came as far as a model: the sweep publishes what is missing
    retries = ledger.plan(run_id).recipe.search.retries
    is_retried = may_run_again(starts, retries=retries, attempts=context.settings.attempts, is_timeout=is_timeout)
    if not is_retried:
        _record(context, run_id, index, "failed", reason, attempts=starts)
    return is_retried


def may_run_again(starts: int, *, retries: int, attempts: int, is_timeout: bool) -> bool:
    """Tell whether a trial that was lost after so many starts has one left.

    One that hangs has the recipe's `retries`, one that was lost in another way the worker's `attempts`.
    """
    return starts < (retries + 1 if is_timeout else attempts)


LONGEST_PAUSE_S = 15
MOST_PAUSES = 400
"""Times a trial waits for others, an hour and a half in all, before it leaves that to the sweep."""


def pause_s(pauses: int) -> int | None:
    """Return how long a trial waits for others after so many pauses, seconds; None when it waits no more."""
    return min(2**pauses, LONGEST_PAUSE_S) if pauses < MOST_PAUSES else None


def _record(
    home: Home,
    run_id: str,
    index: int,
    state: Literal["failed", "skipped"],
    reason: str,
    *,
    attempts: int = 0,
) -> TrialOutcome:
    """Record how a trial ended without an outcome of its own, and return it."""
    ledger = home.ledger
    spec = ledger.trial(run_id, index) or _without_configuration(home, run_id, index)
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


def _without_configuration(home: Home, run_id: str, index: int) -> TrialSpec:
    """Return a trial that was given no configuration."""
    study, plan = home.ledger.study(run_id), home.ledger.plan(run_id)
    if study is None:
        raise StoreError(f"run {run_id}: its study is missing from the ledger")
    model = study.models[study.model_of(index)]
    return TrialSpec(
        run_id=run_id,
        index=index,
        family=model.family,
        features=model.features,
        hyperparameters={},
        seed=plan.seed + index,
    )
