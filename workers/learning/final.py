"""The end of a run that learns: its winner trained, evaluated once and registered, compared, tracked and reported."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.clock import now
from pipeline.errors import ChordalError, TransientError, UsageError
from pipeline.learning.evaluation.gate import Verdict
from pipeline.learning.study.results import EvaluationReport, SplitFacts
from pipeline.learning.training import final as training
from pipeline.versions import software_versions
from pipeline.wire import Value
from storage import durable
from storage.home import Home
from workers.app.context import Context
from workers.app.task_names import FINISH_RUN
from workers.learning import mlflow_tracking, outputs, promotion
from workers.learning.metrics import metrics
from workers.learning.study import dataset_and_split, unfinished_trials
from workers.learning.trial import kept_models


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that has learned."""

    report: EvaluationReport
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedRun:
    """A run that was not finished, or not yet, and why."""

    state: Literal["cancelled", "waits", "failed"]
    reason: str = ""


def finish_run(context: Context, run_id: str) -> FinishedRun | UnfinishedRun:
    """Train the winner, evaluate it once, register it, compare it with the champion and write the report.

    Safe to run any number of times: what is done stays. A run that cannot be finished has failed, in the ledger too.
    Raises `TransientError` for a store that does not answer or a disk that is full, which is worth another attempt.
    """
    if context.counters.is_cancelled(run_id):
        return UnfinishedRun(state="cancelled")
    if missing := unfinished_trials(context, run_id):
        # A body may run early; the sweep publishes what is missing, and the end again.
        return UnfinishedRun(state="waits", reason=f"{len(missing)} trials have not ended")
    from workers.learning import report as learning_report  # with matplotlib, which no other task needs

    try:
        _begin(context, run_id)
        with durable.store_errors(context.ledger.path(run_id), "be finished"):
            report = train_winner(context, run_id)
            outputs.measure(context, run_id)
            verdict = promotion.decide(context, run_id)
            mlflow_tracking.log_run(context, run_id)
            learning_report.write(context, run_id)
    except TransientError:
        context.counters.forget(run_id, "finish")  # its worker lives: this attempt does not count
        raise
    except MemoryError as error:
        # Celery would end the whole worker over it.
        reason = f"the final training needs more memory than there is ({error})"
    except ChordalError as error:
        reason = str(error)
    else:
        return FinishedRun(report=report, verdict=verdict)
    context.ledger.fail(run_id, reason)
    return UnfinishedRun(state="failed", reason=reason)


def _begin(context: Context, run_id: str) -> None:
    """Count an attempt. Raises `UsageError` when too many before it ended their workers."""
    attempts = context.settings.attempts
    if context.counters.attempt(run_id, "finish") > attempts:
        newest = next((line for line in context.counters.troubles(run_id) if line.startswith(FINISH_RUN)), "")
        why = newest.removeprefix(FINISH_RUN).replace(": ", " (", 1) + ")" if newest else ""
        raise UsageError(f"the final training ended its worker {attempts} times{why}; see logs/")


def train_winner(home: Home, run_id: str) -> EvaluationReport:
    """Train the best configuration, read the test tracks once and register the model; return the evaluation.

    Runs once: a second call returns the first one's report.
    """
    ledger = home.ledger
    if (report := ledger.report(run_id)) is not None:
        return report
    plan = ledger.plan(run_id)
    manifest, split = dataset_and_split(home, run_id)
    folder = Path(tempfile.mkdtemp(prefix="model-", dir=ledger.path(run_id)))
    try:
        with home.store.hold() as snapshot:
            report = training.finish_study(
                plan.recipe,
                manifest,
                split,
                ledger.outcomes(run_id),
                snapshot,
                folder,
                created=now(),
                seed=plan.seed,
                models=kept_models(home, run_id),
            )
        draft = report.model.replace(
            recipe=plan.recipe.name,
            versions=software_versions(),
            metrics=metrics(report),
            split=SplitFacts.of(split),
        )
        documents: dict[str, Path | Value] = {
            name: ledger.path(run_id) / f"{name}.json" for name in ("plan", "dataset", "split")
        }
        documents["evaluation"] = report
        report = report.replace(model=home.registry.register(draft, folder, documents=documents))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ledger.put_report(report)
    shutil.rmtree(kept_models(home, run_id), ignore_errors=True)
    return report
