"""The evaluation of a study's chosen trials on the test tracks, and the leakage sentinel on the same rows."""

import statistics
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Float64
from pipeline.learning.dataset.load import Rows, RowSource, load_rows
from pipeline.learning.dataset.manifests import DatasetManifest, Partition, Round, Split
from pipeline.learning.evaluation.appraisal import RoundVotes
from pipeline.learning.evaluation.sentinel import run_sentinel
from pipeline.learning.evaluation.votes import Votes, mean_votes
from pipeline.learning.models import Fit
from pipeline.learning.splits.rows import owners
from pipeline.learning.splits.units import scored_units
from pipeline.learning.study.findings import Sentinel
from pipeline.learning.study.trials import FitReport, TrialOutcome, TrialSpec
from pipeline.learning.training.fit import by_track, fit_on, predict_rows, predict_tracks
from pipeline.learning.training.kept_models import kept_fit
from pipeline.plans.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRows:
    """The data of a study, each family's rows read once."""

    manifest: DatasetManifest
    source: RowSource
    learned: Sequence[int]
    """The tracks that some fit learns from."""
    cache: dict[str, Rows]
    partitions: Sequence[str] = ()
    """The names of all partitions, in order."""
    models: Path | None = None
    """Where the models of the best trials were kept."""

    def rows(self, features: str) -> Rows:
        """Return all rows of a feature family, by name."""
        if features not in self.cache:
            self.cache[features] = load_rows(self.manifest, features, self.source, copies_of=self.learned)
        return self.cache[features]


def evaluate_round(
    study: StudyRows, recipe: Recipe, test_round: Round, chosen: Sequence[TrialOutcome]
) -> tuple[RoundVotes, list[Fit]]:
    """Fit the chosen trials for one test; return their votes on its tracks, and the fits."""
    manifest, refit = study.manifest, recipe.search.refit
    learned = test_round.learned if refit else test_round.partitions[0].train
    fits, validation, test, row_owners = [], [], [], []
    segments: dict[str, list[Votes]] = {}
    for outcome in chosen:
        spec, rows = outcome.spec, study.rows(outcome.spec.features)
        if refit:
            fit = fit_member(study, outcome, learned, usual_epochs(outcome, test_round.names))
        else:
            part = test_round.partitions[0]
            fit = _trial_fit(study, outcome, part)
        fits.append(fit)
        validation.append(np.concatenate([_validation_votes(study, outcome, part) for part in test_round.partitions]))
        by_row = predict_rows(fit, rows, test_round.test)
        row_owners.append(by_row.owner)
        test.append(by_track(by_row, manifest, test_round.test, learned))
        if len(by_row.owner) > len(np.unique(by_row.owner)):
            segments.setdefault(spec.features, []).append(by_row)
    validated = [track for part in test_round.partitions for track in part.validation]
    round_votes = RoundVotes(
        name=test_round.name,
        validation=Votes(probabilities=np.mean(validation, axis=0), owner=np.array(validated)),
        test=Votes(
            probabilities=np.mean(test, axis=0),
            owner=np.array(test_round.test),
            has_rows=np.isin(test_round.test, np.concatenate(row_owners)),
        ),
        segments={name: mean_votes(votes) for name, votes in segments.items()},
    )
    return round_votes, fits


def _validation_votes(study: StudyRows, outcome: TrialOutcome, part: Partition) -> Float64:
    """Return the votes of a trial on its validation tracks, shape (tracks, classes)."""
    probabilities = _report_of(outcome, part.name).validation_probabilities
    if probabilities:
        return np.array(probabilities)
    # Same seed, same data: the model of the trial again.
    rows = study.rows(outcome.spec.features)
    trial = _trial_fit(study, outcome, part)
    return predict_tracks(trial, study.manifest, rows, part.validation, part.train)


def _trial_fit(study: StudyRows, outcome: TrialOutcome, part: Partition) -> Fit:
    """Return the fit of a trial on a partition: as it was kept, else once more, from the same seed on the same data."""
    report = _report_of(outcome, part.name)
    if part.name in study.partitions:
        number = list(study.partitions).index(part.name)
        if (kept := kept_fit(study.models, outcome.spec.index, number, report)) is not None:
            return kept
    rows = study.rows(outcome.spec.features)
    return fit_on(outcome.spec, study.manifest, rows, part.train, part.validation)


def sentinel_of(study: StudyRows, tracks: DatasetManifest, split: Split, spec: TrialSpec, *, seed: int) -> Sentinel:
    """Return the sentinel of a study: over tracks, also where the study was one of rows."""
    rows = study.rows(spec.features)
    if split.strategy == "rows":
        rows = replace(rows, owner=owners(study.manifest, tracks)[rows.owner])
    return run_sentinel(tracks, scored_units(tracks, split), rows, spec, seed=seed)


def fit_member(study: StudyRows, outcome: TrialOutcome, tracks: Sequence[int], epochs: int) -> Fit:
    """Fit a chosen configuration without validation, for as many epochs as were best in its trial."""
    return fit_on(outcome.spec, study.manifest, study.rows(outcome.spec.features), tracks, None, epochs=max(epochs, 1))


def _report_of(outcome: TrialOutcome, partition: str) -> FitReport:
    return next(fit for fit in outcome.fits if fit.partition == partition)


def usual_epochs(outcome: TrialOutcome, names: AbstractSet[str] | None) -> int:
    """Return the median over some partitions, or all, of the epochs that were best."""
    return round(statistics.median(fit.epochs for fit in outcome.fits if names is None or fit.partition in names))
