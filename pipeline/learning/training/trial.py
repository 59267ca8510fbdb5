"""One trial: fit a configuration, validate it, and report how it went."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.learning.dataset.load import Rows, RowSource, label_indices, load_rows
from pipeline.learning.dataset.manifests import DatasetManifest, Partition, Split
from pipeline.learning.evaluation import score
from pipeline.learning.evaluation.objectives import objective_value
from pipeline.learning.models import Fit
from pipeline.learning.splits.rows import row_view
from pipeline.learning.study.trials import Execution, FitReport, TrialOutcome, TrialSpec
from pipeline.learning.training.executions import execute
from pipeline.learning.training.fit import fit_on, predict_tracks
from pipeline.learning.training.kept_models import keep_model
from pipeline.learning.training.tensorboard import TrialLog
from pipeline.plans.objectives import Objective
from pipeline.plans.recipe import Recipe

Progress = Callable[[int, int, str], None]
"""Called after each step with the steps done, the steps in all, and what was done."""


def run_trial(
    spec: TrialSpec,
    recipe: Recipe,
    manifest: DatasetManifest,
    split: Split,
    source: RowSource,
    progress: Progress | None = None,
    *,
    done: Sequence[Execution] = (),
    keep: Callable[[Execution], object] = lambda _: None,
    logs: Path | None = None,
    models: Path | None = None,
) -> TrialOutcome:
    """Return the outcome of one configuration on the validation tracks of every partition.

    Rows of test tracks are never read with one partition, and never given to a fit that is tested on them.
    A configuration that cannot be fitted is a failed outcome with the reason; a store that does not answer raises.
    `done` are executions of an earlier attempt, `keep` is given each new one as it ends; `logs` is a folder for
    TensorBoard, `models` one for the models of the first execution where the choice is not fitted again.
    """
    manifest, split, source = row_view(recipe, manifest, split, source)
    needed = sorted({track for part in split.partitions for track in (*part.train, *part.validation)})
    learned = sorted({track for part in split.partitions for track in part.train})
    loaded: list[Rows] = []
    log = TrialLog(logs, spec)
    log.begin()
    for execution in done:
        log.log_score(execution)

    def fit(seeded: TrialSpec, number: int) -> tuple[FitReport, ...]:
        if not loaded:
            loaded.append(load_rows(manifest, spec.features, source, needed, copies_of=learned))
        fits = []
        for step, part in enumerate(split.partitions, start=1):
            with log.log_epochs(number, part.name):
                report, fitted = _validate(seeded, manifest, part, loaded[0], recipe.search.objective)
            if models is not None and number == 0 and not recipe.search.refit:
                keep_model(models, spec.index, step - 1, fitted)
            fits.append(report)
            report_progress(progress, step, len(split.partitions), f"trial {spec.index}: {part.name}")
        return tuple(fits)

    def on_end(execution: Execution) -> None:
        log.log_score(execution)
        keep(execution)

    return execute(spec, recipe.search, fit, done=done, keep=on_end)


def _validate(
    spec: TrialSpec, manifest: DatasetManifest, part: Partition, rows: Rows, objective: Objective
) -> tuple[FitReport, Fit]:
    """Fit on the training tracks of one partition and score its validation tracks."""
    started = time.monotonic()
    fit = fit_on(spec, manifest, rows, part.train, part.validation)
    probabilities = predict_tracks(fit, manifest, rows, part.validation, part.train)
    truth = label_indices(manifest)[list(part.validation)]
    scores = score(truth, probabilities.argmax(axis=1), manifest.classes)
    likelihood = np.maximum(probabilities[np.arange(len(truth)), truth], np.finfo(np.float32).tiny)
    report = FitReport(
        partition=part.name,
        validation_accuracy=scores.accuracy,
        score=None if objective == "accuracy" else objective_value(objective, truth, probabilities),
        validation_log_loss=float(-np.log(likelihood).mean()),
        validation_confusion=scores.confusion,
        validation_probabilities=tuple(tuple(float(f"{value:.6g}") for value in row) for row in probabilities),
        epochs=fit.epochs,
        seconds=time.monotonic() - started,
        parameters=fit.parameters,
        curves=fit.curves,
    )
    return report, fit


def report_progress(progress: Progress | None, done: int, total: int, text: str) -> None:
    """Call `progress`, if there is one."""
    if progress is not None:
        progress(done, total, text)
