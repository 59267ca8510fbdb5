"""Running a trial, and finishing a study: choose by validation, fit again, test once, deliver."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Float64
from pipeline.datasets import Rows, RowSource, label_indices, load_rows
from pipeline.errors import UsageError
from pipeline.evaluation import score, score_counts
from pipeline.event_logs import TrialLog
from pipeline.executions import execute
from pipeline.fitting import class_shares, fit_on, predict_tracks
from pipeline.learning import (
    DatasetManifest,
    EvaluationReport,
    Execution,
    FitReport,
    ModelVersion,
    Partition,
    Prediction,
    Scores,
    Split,
    TrialOutcome,
    TrialSpec,
)
from pipeline.models import Fit
from pipeline.models.classifier import ClassifierCard, Member, save_classifier
from pipeline.recipe import Recipe

Progress = Callable[[int, int, str], None]
"""Told after each step: steps done, steps in all, what was done."""


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
) -> TrialOutcome:
    """Return how one configuration does on the validation tracks of every partition.

    Rows of test tracks are never asked for with one partition, and never shown to a fit that is tested on them.
    A configuration that cannot be fitted is a failed outcome with the reason; a store that does not answer raises.
    `done` are executions of an earlier attempt, `keep` is given each new one as it ends; `logs` is a folder for
    TensorBoard.
    """
    needed = sorted({track for part in split.partitions for track in (*part.train, *part.validation)})
    learned = sorted({track for part in split.partitions for track in part.train})
    loaded: list[Rows] = []
    log = TrialLog(logs, spec)
    log.begin()
    for execution in done:
        log.scored(execution)

    def fit(seeded: TrialSpec, number: int) -> tuple[FitReport, ...]:
        if not loaded:
            loaded.append(load_rows(manifest, spec.features, source, needed, copies_of=learned))
        fits = []
        for place, part in enumerate(split.partitions, start=1):
            with log.fitting(number, part.name):
                fits.append(_validate(seeded, manifest, part, loaded[0]))
            _tell(progress, place, len(split.partitions), f"trial {spec.index}: {part.name}")
        return tuple(fits)

    def ended(execution: Execution) -> None:
        log.scored(execution)
        keep(execution)

    return execute(spec, recipe.search, fit, done=done, keep=ended)


def finish(
    recipe: Recipe,
    manifest: DatasetManifest,
    split: Split,
    outcomes: Iterable[TrialOutcome],
    source: RowSource,
    folder: Path,
    *,
    created: str,
    seed: int,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Choose by validation, fit, score the test tracks once, save the classifier into `folder`, report.

    For each partition the trials with its best validation accuracies are chosen (ties: the lower index): nothing that
    saw its test tracks has a say. Predictions of all partitions are pooled into `test`, so with folds its `n` is every
    track. The delivered classifier is the one that was tested; with several partitions it is fitted again on all
    tracks, from the trials best on average.

    Raises `UsageError` with the first reason when every trial failed.
    """
    started = time.monotonic()
    ended = sorted(outcomes, key=lambda outcome: outcome.spec.index)
    completed = [outcome for outcome in ended if outcome.state == "completed"]
    if not completed:
        reasons = [outcome.reason for outcome in ended if outcome.reason]
        raise UsageError(f"every trial failed; the first: {reasons[0] if reasons else 'there was none'}")
    folder.mkdir(parents=True, exist_ok=True)
    several = len(split.partitions) > 1
    tested = () if several else split.partitions[0].test
    learned = sorted(set(range(len(manifest.tracks))) - set(tested))
    bench = _Bench(manifest=manifest, source=source, learned=learned, cache={})
    chosen = {part.name: _best(completed, recipe.search.ensemble, part.name) for part in split.partitions}
    final = _best(completed, recipe.search.ensemble, None) if several else chosen[split.partitions[0].name]
    steps = len(split.partitions) + several
    verdicts = []
    for number, part in enumerate(split.partitions, start=1):
        verdicts.append(_examine(bench, recipe, part, chosen[part.name], None if several else folder))
        _tell(progress, number, steps, f"tested: {part.name}")
    if several:
        everything = range(len(manifest.tracks))
        members = [_fit_member(bench, o, everything, _usual_epochs(o)) for o in final]
        _deliver(bench, final, members, everything, folder)
        _tell(progress, steps, steps, "fitted on all tracks")
    test = [prediction for verdict in verdicts for prediction in verdict.predictions]
    scores = _scores_of(test, manifest.classes)
    return EvaluationReport(
        run_id=manifest.run_id,
        classes=manifest.classes,
        validation=score_counts(
            np.sum([verdict.validation.confusion for verdict in verdicts], axis=0), manifest.classes
        ),
        test=scores,
        per_partition={
            part.name: _scores_of(verdict.predictions, manifest.classes)
            for part, verdict in zip(split.partitions, verdicts, strict=True)
        },
        chosen={name: tuple(outcome.spec.index for outcome in best) for name, best in chosen.items()},
        predictions=tuple(test),
        seconds=time.monotonic() - started,
        model=ModelVersion(
            version="",
            run_id=manifest.run_id,
            recipe=recipe.name,
            family=_family_name(final),
            features=tuple(dict.fromkeys(manifest.families[o.spec.features] for o in final)),
            classes=manifest.classes,
            members=tuple(outcome.spec for outcome in final),
            dataset_digest=manifest.digest,
            created=created,
            test_accuracy=scores.accuracy,
            seed=seed,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """The data of a study, each family's rows read once."""

    manifest: DatasetManifest
    source: RowSource
    learned: Sequence[int]
    """The tracks that some fit learns from."""
    cache: dict[str, Rows]

    def rows(self, features: str) -> Rows:
        """Return all rows of a feature family, by name."""
        if features not in self.cache:
            self.cache[features] = load_rows(self.manifest, features, self.source, copies_of=self.learned)
        return self.cache[features]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What the chosen trials of one partition achieved."""

    validation: Scores
    predictions: list[Prediction]


def _validate(spec: TrialSpec, manifest: DatasetManifest, part: Partition, rows: Rows) -> FitReport:
    """Fit on the training tracks of one partition and score its validation tracks."""
    started = time.monotonic()
    fit = fit_on(spec, manifest, rows, part.train, part.validation)
    probabilities = predict_tracks(fit, manifest, rows, part.validation, part.train)
    truth = label_indices(manifest)[list(part.validation)]
    scores = score(truth, probabilities.argmax(axis=1), manifest.classes)
    told = np.maximum(probabilities[np.arange(len(truth)), truth], np.finfo(np.float32).tiny)
    return FitReport(
        partition=part.name,
        validation_accuracy=scores.accuracy,
        validation_log_loss=float(-np.log(told).mean()),
        validation_confusion=scores.confusion,
        epochs=fit.epochs,
        seconds=time.monotonic() - started,
        parameters=fit.parameters,
        curves=fit.curves,
    )


def _examine(
    bench: _Bench, recipe: Recipe, part: Partition, chosen: Sequence[TrialOutcome], folder: Path | None
) -> _Verdict:
    """Fit the chosen trials of one partition, score its test tracks, and deliver them where a folder is given."""
    manifest = bench.manifest
    learned = sorted((*part.train, *part.validation)) if recipe.search.refit else list(part.train)
    validation, test, tested = [], [], []
    for outcome in chosen:
        spec, rows = outcome.spec, bench.rows(outcome.spec.features)
        report = _report_of(outcome, part.name)
        if recipe.search.refit:
            fit = _fit_member(bench, outcome, learned, report.epochs)
        if len(chosen) > 1 or not recipe.search.refit:
            # Same seed, same data: the model of the trial again, whose votes on validation tracks are wanted.
            trial = fit_on(spec, manifest, rows, part.train, part.validation)
            validation.append(predict_tracks(trial, manifest, rows, part.validation, part.train))
            fit = fit if recipe.search.refit else trial
        test.append(predict_tracks(fit, manifest, rows, part.test, learned))
        tested.append(fit)
    if folder is not None:
        _deliver(bench, chosen, tested, learned, folder)
    if validation:
        truth = label_indices(manifest)[list(part.validation)]
        validated = score(truth, np.mean(validation, axis=0).argmax(axis=1), manifest.classes)
    else:
        validated = score_counts(_report_of(chosen[0], part.name).validation_confusion, manifest.classes)
    return _Verdict(validation=validated, predictions=_predictions(manifest, part, np.mean(test, axis=0)))


def _fit_member(bench: _Bench, outcome: TrialOutcome, tracks: Sequence[int], epochs: int) -> Fit:
    """Fit a chosen configuration without validation, for as many epochs as were best in its trial."""
    return fit_on(outcome.spec, bench.manifest, bench.rows(outcome.spec.features), tracks, None, epochs=max(epochs, 1))


def _best(completed: Sequence[TrialOutcome], count: int, partition: str | None) -> tuple[TrialOutcome, ...]:
    """Return the trials best in validation, in one partition or on average over all.

    Ties: the lower log-loss, then the lower index.
    """

    def rank(outcome: TrialOutcome) -> tuple[float, float, int]:
        fits = [fit for fit in outcome.fits if partition in {None, fit.partition}]
        accuracy = statistics.fmean(fit.validation_accuracy for fit in fits)
        loss = statistics.fmean(fit.validation_log_loss for fit in fits)
        return -accuracy, loss, outcome.spec.index

    return tuple(sorted(completed, key=rank)[:count])


def _report_of(outcome: TrialOutcome, partition: str) -> FitReport:
    return next(fit for fit in outcome.fits if fit.partition == partition)


def _usual_epochs(outcome: TrialOutcome) -> int:
    """Return the median over the partitions of the epochs that were best."""
    return round(statistics.median(fit.epochs for fit in outcome.fits))


def _deliver(
    bench: _Bench, chosen: Sequence[TrialOutcome], fits: Sequence[Fit], learned: Sequence[int], folder: Path
) -> None:
    """Save the members and the card of a classifier."""
    members = []
    for number, (outcome, fit) in enumerate(zip(chosen, fits, strict=True)):
        name = f"member-{number}"
        (folder / name).mkdir(exist_ok=True)
        fit.model.save(folder / name)
        key = bench.manifest.families[outcome.spec.features]
        members.append(Member(folder=name, features=key, trial=outcome.spec))
    prior = tuple(float(share) for share in class_shares(bench.manifest, learned))
    save_classifier(ClassifierCard(classes=bench.manifest.classes, prior=prior, members=tuple(members)), folder)


def _predictions(manifest: DatasetManifest, part: Partition, probabilities: Float64) -> list[Prediction]:
    """Return what is said of the test tracks of a partition, from probabilities (tracks, classes)."""
    return [
        Prediction(
            track_id=manifest.tracks[track].track_id,
            path=manifest.tracks[track].path,
            label=manifest.classes[int(row.argmax())],
            truth=manifest.tracks[track].label,
            partition=part.name,
            probabilities=tuple(float(value) for value in row),
        )
        for track, row in zip(part.test, probabilities, strict=True)
    ]


def _scores_of(predictions: Sequence[Prediction], classes: Sequence[str]) -> Scores:
    """Return the scores of predictions whose truth is known."""
    index = {name: number for number, name in enumerate(classes)}
    truth = np.array([index[p.truth] for p in predictions if p.truth is not None], dtype=np.int64)
    said = np.array([index[p.label] for p in predictions if p.truth is not None], dtype=np.int64)
    return score(truth, said, classes)


def _family_name(members: Sequence[TrialOutcome]) -> str:
    """Return the model family, or `ensemble(a+b)` when several vote."""
    families = [outcome.spec.family for outcome in members]
    return families[0] if len(families) == 1 else f"ensemble({'+'.join(families)})"


def _tell(progress: Progress | None, done: int, total: int, text: str) -> None:
    if progress is not None:
        progress(done, total, text)
