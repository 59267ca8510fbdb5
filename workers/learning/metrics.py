"""What a run was given and what it achieved, as named values for a model's description and for MLflow."""

from typing import Any

from pipeline.learning.study.results import EvaluationReport
from pipeline.plans.run import RunPlan
from pipeline.text import printable


def metrics(report: EvaluationReport) -> dict[str, float]:
    """Return the scores of a report as a whole, by name."""
    return {
        "test_accuracy": report.test.accuracy,
        "test_macro_f1": report.test.macro_f1,
        "test_tracks": float(report.test.n),
        "validation_accuracy": report.validation.accuracy,
        "validation_macro_f1": report.validation.macro_f1,
        "validation_tracks": float(report.validation.n),
    }


def parameters(plan: RunPlan, evaluation: EvaluationReport) -> dict[str, Any]:
    """Return the options of a run and the model it chose, by name."""
    model = evaluation.model
    split = {f"split.{name}": value for name, value in (model.split.to_wire() if model.split else {}).items()}
    return {
        "recipe": plan.recipe.name,
        "seed": plan.seed,
        "libraries": ", ".join(map(printable, plan.libraries)),
        "labels": printable(plan.labels),
        "groups": printable(plan.groups or ""),
        "folds": printable(plan.folds or ""),
        "trials": plan.recipe.search.trials,
        "ensemble": plan.recipe.search.ensemble,
        "family": model.family,
        "features": ", ".join(model.features),
        "classes": ", ".join(map(printable, model.classes)),
        "dataset": model.dataset_digest,
        **split,
    }


def scores(evaluation: EvaluationReport) -> list[tuple[str, float, int]]:
    """Return every score of a report, those of the classes too: name, value, step."""
    named = [(name, value, 0) for name, value in metrics(evaluation).items()]
    for label, of in evaluation.test.per_class.items():
        named += [(f"test_{name}/{label}", getattr(of, name), 0) for name in ("precision", "recall", "f1")]
    return named
