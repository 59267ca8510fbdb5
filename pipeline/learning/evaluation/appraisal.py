"""From what was said of validation and test tracks to what a report tells: scores, calibration, predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Int64
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.evaluation.calibration import answering, reliability
from pipeline.learning.evaluation.votes import Votes, joined
from pipeline.learning.study.findings import Answering, Calibration
from pipeline.learning.study.results import Prediction, Scores
from pipeline.plans.recipe import AnswerPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the trials that were chosen for one round say, uncalibrated."""

    name: str
    """Of the round."""
    validation: Votes
    """Of tracks, by models that did not learn from them."""
    test: Votes
    segments: Mapping[str, Votes]
    """Of the rows of test tracks, by feature family; empty where every track has one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """What a report tells of a model; the fields are those of `EvaluationReport`."""

    validation: Scores
    test: Scores
    per_partition: dict[str, Scores]
    segments: dict[str, Scores]
    predictions: tuple[Prediction, ...]
    calibration: Calibration


def pooled(verdicts: Sequence[Verdict]) -> Votes:
    """Return what was said of the validation tracks of all rounds."""
    return joined([verdict.validation for verdict in verdicts])


def settle(manifest: DatasetManifest, validation: Votes, plan: AnswerPlan) -> Answering:
    """Return the temperature and the threshold that validation tracks ask for."""
    return answering(
        validation.probabilities,
        validation.truth(manifest),
        calibrate=plan.calibrate,
        accuracy=plan.accuracy,
        coverage=plan.coverage,
    )


def appraise(
    manifest: DatasetManifest,
    units: Int64,
    verdicts: Sequence[Verdict],
    plan: AnswerPlan,
    *,
    delivered: Answering,
    seed: int,
) -> Appraisal:
    """Return scores with intervals over `units` (tracks,), calibration and predictions; rounds are pooled.

    The test tracks of a round are read with temperature and threshold of its own validation tracks: those of another
    round may be tested here.
    """
    settled = {verdict.name: settle(manifest, verdict.validation, plan) for verdict in verdicts}
    calibrated = {verdict.name: verdict.test.calibrated(settled[verdict.name]) for verdict in verdicts}
    # Scores are of what is told in the end; a temperature never changes which class is the likeliest.
    test = joined(list(calibrated.values()))
    validation = pooled(verdicts)
    families = dict.fromkeys(family for verdict in verdicts for family in verdict.segments)
    silent = np.concatenate([settled[name].unsure(votes.probabilities) for name, votes in calibrated.items()])
    right = test.labels == test.truth(manifest)
    return Appraisal(
        validation=validation.scores(manifest, units, seed=seed),
        test=test.scores(manifest, units, seed=seed),
        per_partition={name: votes.scores(manifest, units, seed=seed) for name, votes in calibrated.items()},
        segments={
            family: joined([v.segments[family] for v in verdicts if family in v.segments]).scores(
                manifest, units, seed=seed
            )
            for family in families
        },
        predictions=tuple(
            prediction
            for name, votes in calibrated.items()
            for prediction in _predictions(manifest, name, votes, settled[name])
        ),
        calibration=Calibration(
            delivered=delivered,
            per_partition=settled,
            fitted_on=len(validation.owner),
            before=reliability(joined([verdict.test for verdict in verdicts]).probabilities, test.truth(manifest)),
            after=reliability(test.probabilities, test.truth(manifest)),
            target_accuracy=plan.accuracy,
            least_coverage=plan.coverage,
            answered=int(np.count_nonzero(~silent)),
            n=len(silent),
            right=int(np.count_nonzero(right & ~silent)),
        ),
    )


def _predictions(manifest: DatasetManifest, partition: str, votes: Votes, answer: Answering) -> list[Prediction]:
    """Return what is said of test tracks, from calibrated votes."""
    return [
        Prediction(
            track_id=manifest.tracks[track].track_id,
            path=manifest.tracks[track].path,
            label=manifest.classes[int(row.argmax())],
            truth=manifest.tracks[track].label,
            partition=partition,
            probabilities=tuple(float(value) for value in row),
            unsure=bool(unsure),
            row=manifest.tracks[track].row,
        )
        for track, row, unsure in zip(
            votes.owner.tolist(), votes.probabilities, answer.unsure(votes.probabilities), strict=True
        )
    ]
