"""What the learning tasks do: draw up the study, run one trial, train and evaluate the winner, register it, report."""

import shutil
import tempfile
from pathlib import Path

from pipeline.clock import now
from pipeline.learning.study.results import EvaluationReport, SplitFacts
from pipeline.versions import software_versions
from pipeline.wire import Value
from workers.app.context import Context
from workers.learning.study import study


def finish(context: Context, run_id: str) -> EvaluationReport:
    """Train the best configuration, read the test tracks once, register the model and write the report.

    Runs once: a second call returns the first one's report.
    """
    from pipeline.learning.training.final import finish_study

    ledger = context.ledger
    if (report := ledger.report(run_id)) is not None:
        return report
    plan = ledger.plan(run_id)
    manifest, split = study(context, run_id)
    folder = Path(tempfile.mkdtemp(prefix="model-", dir=ledger.path(run_id)))
    try:
        with context.store.hold() as snapshot:
            report = finish_study(
                plan.recipe,
                manifest,
                split,
                ledger.outcomes(run_id),
                snapshot,
                folder,
                created=now(),
                seed=plan.seed,
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
        report = report.replace(model=context.registry.register(draft, folder, documents=documents))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ledger.put_report(report)
    return report


def metrics(report: EvaluationReport) -> dict[str, float]:
    """Return what a report says in numbers, by name."""
    return {
        "test_accuracy": report.test.accuracy,
        "test_macro_f1": report.test.macro_f1,
        "test_tracks": float(report.test.n),
        "validation_accuracy": report.validation.accuracy,
        "validation_macro_f1": report.validation.macro_f1,
        "validation_tracks": float(report.validation.n),
    }
