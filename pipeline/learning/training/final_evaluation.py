"""The end of a study at the bench: fit what was chosen for a test, hear what it says, ask the sentinel last."""

import statistics
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Float64
from pipeline.learning.dataset.load import Rows, RowSource, load_rows
from pipeline.learning.dataset.manifests import DatasetManifest, Partition, Round, Split
from pipeline.learning.evaluation.appraisal import Verdict
from pipeline.learning.evaluation.sentinel import watch
from pipeline.learning.evaluation.votes import Votes, averaged
from pipeline.learning.models import Fit
from pipeline.learning.splits import units_of_split
from pipeline.learning.splits.rows import owners
from pipeline.learning.study.findings import Sentinel
from pipeline.learning.study.trials import FitReport, TrialOutcome, TrialSpec
from pipeline.learning.training.fit import by_track, fit_on, predict_rows, predict_tracks
from pipeline.plans.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRows:
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


def examine(bench: StudyRows, recipe: Recipe, each: Round, chosen: Sequence[TrialOutcome]) -> tuple[Verdict, list[Fit]]:
    """Fit the chosen trials for one test; return what they say of its tracks, and the fits."""
    manifest, refit = bench.manifest, recipe.search.refit
    learned = each.learned if refit else each.partitions[0].train
    fits, validation, test, heard = [], [], [], []
    segments: dict[str, list[Votes]] = {}
    for outcome in chosen:
        spec, rows = outcome.spec, bench.rows(outcome.spec.features)
        if refit:
            fit = fit_member(bench, outcome, learned, usual_epochs(outcome, each.names))
        else:
            part = each.partitions[0]
            fit = fit_on(spec, manifest, rows, part.train, part.validation)
        fits.append(fit)
        validation.append(np.concatenate([_validation_votes(bench, outcome, part) for part in each.partitions]))
        by_row = predict_rows(fit, rows, each.test)
        heard.append(by_row.owner)
        test.append(by_track(by_row, manifest, each.test, learned))
        if len(by_row.owner) > len(np.unique(by_row.owner)):
            segments.setdefault(spec.features, []).append(by_row)
    validated = [track for part in each.partitions for track in part.validation]
    verdict = Verdict(
        name=each.name,
        validation=Votes(probabilities=np.mean(validation, axis=0), owner=np.array(validated)),
        test=Votes(
            probabilities=np.mean(test, axis=0),
            owner=np.array(each.test),
            heard=np.isin(each.test, np.concatenate(heard)),
        ),
        segments={name: averaged(votes) for name, votes in segments.items()},
    )
    return verdict, fits


def _validation_votes(bench: StudyRows, outcome: TrialOutcome, part: Partition) -> Float64:
    """Return what a trial said of its validation tracks, shape (tracks, classes)."""
    told = _report_of(outcome, part.name).validation_probabilities
    if told:
        return np.array(told)
    # Same seed, same data: the model of the trial again.
    rows = bench.rows(outcome.spec.features)
    trial = fit_on(outcome.spec, bench.manifest, rows, part.train, part.validation)
    return predict_tracks(trial, bench.manifest, rows, part.validation, part.train)


def watched(bench: StudyRows, tracks: DatasetManifest, split: Split, spec: TrialSpec, *, seed: int) -> Sentinel:
    """Return what the sentinel says: of tracks, also where the study was one of rows."""
    rows = bench.rows(spec.features)
    if split.strategy == "rows":
        rows = replace(rows, owner=owners(bench.manifest, tracks)[rows.owner])
    return watch(tracks, units_of_split(tracks, split), rows, spec, seed=seed)


def fit_member(bench: StudyRows, outcome: TrialOutcome, tracks: Sequence[int], epochs: int) -> Fit:
    """Fit a chosen configuration without validation, for as many epochs as were best in its trial."""
    return fit_on(outcome.spec, bench.manifest, bench.rows(outcome.spec.features), tracks, None, epochs=max(epochs, 1))


def _report_of(outcome: TrialOutcome, partition: str) -> FitReport:
    return next(fit for fit in outcome.fits if fit.partition == partition)


def usual_epochs(outcome: TrialOutcome, names: AbstractSet[str] | None) -> int:
    """Return the median over some partitions, or all, of the epochs that were best."""
    return round(statistics.median(fit.epochs for fit in outcome.fits if names is None or fit.partition in names))
