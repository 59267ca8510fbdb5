"""Scores, calibration and predictions of a report from the votes on validation and test tracks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bool, Int64
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.evaluation.calibration import answer_rule, reliability
from pipeline.learning.evaluation.votes import Votes, join_votes
from pipeline.learning.study.findings import AnswerRule, Calibration
from pipeline.learning.study.results import GroupScore, Prediction, Scores
from pipeline.plans.recipe import AnswerPlan

MOST_GROUPS = 200
"""So many scores of groups are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundVotes:
    """The votes of the trials that were chosen for one round, uncalibrated."""

    name: str
    """Of the round."""
    validation: Votes
    """Of tracks, by models that did not learn from them."""
    test: Votes
    segments: Mapping[str, Votes]
    """Of the rows of test tracks, by feature family; empty where every track has one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """The evaluation of a model; the fields are those of `EvaluationReport`."""

    validation: Scores
    test: Scores
    per_partition: dict[str, Scores]
    segments: dict[str, Scores]
    predictions: tuple[Prediction, ...]
    by_group: tuple[GroupScore, ...]
    groups_tested: int
    calibration: Calibration


def pooled_validation(rounds: Sequence[RoundVotes]) -> Votes:
    """Return the votes on the validation tracks of all rounds."""
    return join_votes([each.validation for each in rounds])


def fit_answer_rule(manifest: DatasetManifest, units: Int64, validation: Votes, plan: AnswerPlan) -> AnswerRule:
    """Return the temperature and the threshold that fit the validation tracks, in groups `units` (tracks,)."""
    return answer_rule(
        validation.probabilities,
        validation.truth(manifest),
        units[validation.owner],
        calibrate=plan.calibrate,
        accuracy=plan.accuracy,
        coverage=plan.coverage,
    )


def appraise(
    manifest: DatasetManifest,
    units: Int64,
    rounds: Sequence[RoundVotes],
    plan: AnswerPlan,
    *,
    groups: Int64,
    delivered: AnswerRule,
) -> Appraisal:
    """Return scores with intervals over `units` (tracks,), calibration by `groups` (tracks,) and predictions.

    The test tracks of a round get temperature and threshold of its own validation tracks: those of another round may be
    test tracks of this one.
    """
    rules = {each.name: fit_answer_rule(manifest, groups, each.validation, plan) for each in rounds}
    calibrated = {each.name: each.test.calibrated(rules[each.name]) for each in rounds}
    # Scores are of the calibrated votes; a temperature never changes which class is the likeliest.
    test = join_votes(list(calibrated.values()))
    validation = pooled_validation(rounds)
    families = dict.fromkeys(family for each in rounds for family in each.segments)
    is_unsure = np.concatenate([rules[name].unsure(votes.probabilities) for name, votes in calibrated.items()])
    right = test.labels == test.truth(manifest)
    folds = [name for name, votes in calibrated.items() for _ in range(len(votes.owner))]
    by_group = group_scores(manifest, test.owner, right, folds)
    return Appraisal(
        by_group=by_group[:MOST_GROUPS],
        groups_tested=len(by_group),
        validation=validation.scores(manifest, units),
        test=test.scores(manifest, units),
        per_partition={name: votes.scores(manifest, units) for name, votes in calibrated.items()},
        segments={
            family: join_votes([v.segments[family] for v in rounds if family in v.segments]).scores(manifest, units)
            for family in families
        },
        predictions=tuple(
            prediction
            for name, votes in calibrated.items()
            for prediction in _predictions(manifest, name, votes, rules[name])
        ),
        calibration=Calibration(
            delivered=delivered,
            per_partition=rules,
            fitted_on=len(np.unique(validation.owner)),
            groups=len(np.unique(groups[validation.owner])),
            before=reliability(join_votes([each.test for each in rounds]).probabilities, test.truth(manifest)),
            after=reliability(test.probabilities, test.truth(manifest)),
            target_accuracy=plan.accuracy,
            least_coverage=plan.coverage,
            answered=int(np.count_nonzero(~is_unsure)),
            n=len(is_unsure),
            right=int(np.count_nonzero(right & ~is_unsure)),
        ),
    )


def group_scores(manifest: DatasetManifest, owner: Int64, right: Bool, folds: Sequence[str]) -> tuple[GroupScore, ...]:
    """Return the score of each group in each fold, the worst first; tracks without a group are left out.

    `owner` are positions in the manifest, `right` whether each was named rightly, `folds` which partition tested it,
    all of length n.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    for track, is_right, fold in zip(owner.tolist(), right.tolist(), folds, strict=True):
        if (group := manifest.tracks[track].group) is not None:
            count = counts.setdefault((group, str(fold)), [0, 0])
            count[0] += 1
            count[1] += is_right
    scores = [GroupScore(name=name, fold=fold, n=n, right=hits) for (name, fold), (n, hits) in counts.items()]
    return tuple(sorted(scores, key=lambda each: (each.right / each.n, -each.n, each.name)))


def _predictions(manifest: DatasetManifest, partition: str, votes: Votes, rule: AnswerRule) -> list[Prediction]:
    """Return the predictions of test tracks, from calibrated votes."""
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
            votes.owner.tolist(), votes.probabilities, rule.unsure(votes.probabilities), strict=True
        )
    ]
