"""Each caution is given where its reason is there, and a sound study has none."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.learning.cautions import CHECKS, find_cautions
from pipeline.learning.cautions.facts import StudyFacts
from pipeline.learning.dataset.flaws import DuplicateSet
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, ExcludedTrack, Partition, Split
from pipeline.learning.evaluation import score
from pipeline.learning.evaluation.intervals import with_intervals
from pipeline.learning.study.findings import (
    AnswerRule,
    Calibration,
    Interval,
    Reliability,
    Sentinel,
    SentinelGap,
    SentinelScore,
)
from pipeline.learning.study.results import EvaluationReport, ModelVersion

CLASSES = ("a", "b", "c")


def made(labels=None, *, groups=None, wrong=6, excluded=(), duplicates=(), parts=None, scored="tracks", **more):
    """Return the facts of a study of 90 tracks of three classes in 30 groups, of which the last 30 were tested."""
    labels = labels or [CLASSES[number % 3] for number in range(90)]
    groups = groups or [f"g{number // 3}" for number in range(len(labels))]
    tracks = tuple(
        DatasetTrack(track_id=str(at), content_hash=f"{at:032x}", path=f"{at}.wav", label=label, group=group)
        for at, (label, group) in enumerate(zip(labels, groups, strict=True))
    )
    classes = tuple(sorted(set(labels)))
    count = len(labels)
    train, validation, test = parts or (range(count - 45), range(count - 45, count - 30), range(count - 30, count))
    part = Partition(name="holdout", train=tuple(train), validation=tuple(validation), test=tuple(test))
    manifest = DatasetManifest(run_id="r", families={}, classes=classes, tracks=tracks, excluded=tuple(excluded))
    split = Split(
        strategy="rows" if scored == "rows" else "grouped", seed=0, groups=30, partitions=(part,), duplicates=duplicates
    )
    truth = np.array([classes.index(labels[at]) for at in test])
    said = np.where(np.arange(len(truth)) % 5 == 0, (truth + 1) % len(classes), truth) if wrong else truth
    units = np.array([sorted(set(groups)).index(groups[at]) for at in test])
    plain = score(truth, said, classes)
    test_scores = with_intervals(plain, truth, said, units)
    evaluation = EvaluationReport(
        run_id="r", classes=classes, validation=plain, test=test_scores, per_partition={}, chosen={}, predictions=(),
        seconds=0.0, scored=scored,
        model=ModelVersion(
            version="v1", run_id="r", recipe="r", family="svm", features=(), classes=classes, members=(),
            dataset_digest="", created="", test_accuracy=plain.accuracy, seed=0,
        ),
        **more,
    )  # fmt: skip
    return StudyFacts(manifest=manifest, split=split, evaluation=evaluation)


def kinds(facts):
    return [caution.kind for caution in find_cautions(facts)]


def calibration(*, right, answered=20, coverage=0.0, worse=False):
    rule = AnswerRule(temperature=1.5, threshold=0.5)
    losses = (0.9, 1.1) if worse else (1.1, 0.9)
    before, after = (Reliability(ece=0.1, log_loss=loss, bins=()) for loss in losses)
    return Calibration(
        delivered=rule, per_partition={"holdout": rule}, fitted_on=15, before=before, after=after,
        target_accuracy=0.9, least_coverage=coverage, answered=answered, n=30, right=right,
    )  # fmt: skip


def sentinel(low):
    gap = SentinelGap(gap=0.05, interval=Interval(low=low, high=0.1, method="t", units=30))
    known = SentinelScore(accuracy=0.8)
    return Sentinel(
        family="svm", features="f", is_winner=True, rows=180, tracks=90, units=30, folds=4, random=known, honest=known,
        neighbours=known, gap=gap, hidden=gap,
    )  # fmt: skip


def test_a_sound_study_has_none():
    assert find_cautions(made(calibration=calibration(right=19), sentinel=sentinel(-0.01))) == ()


MANY = ["a"] * 40 + ["b"] * 40
COPIES = (DuplicateSet(kind="near", tracks=(0, 80), distance=0.1, kept=False),)
LOST = [ExcludedTrack(path=f"{n}.wav", reason="no mfcc_segments features (too_short)", label="d") for n in range(5)]
SHRUNKEN = [ExcludedTrack(path=f"{n}.wav", reason="too short", label="a") for n in range(96)]
UNLABELLED = [ExcludedTrack(path="x.wav", reason="no label")]


@pytest.mark.parametrize(
    ("facts", "kind", "words"),
    [
        (made(groups=["one"] * 90), "one_group", "all 30 tested tracks are of one group"),
        (made(groups=[f"g{at // 6}" for at in range(90)]), "few_groups", "only 5 groups were tested"),
        (made(groups=["big"] * 45 + [f"g{at}" for at in range(45)]), "large_group", "group big has 50% of all tracks"),
        (made(sentinel=sentinel(0.02)), "alike_neighbours", "the accuracy is 5.0 points lower"),
        (made(calibration=calibration(right=11)), "target_missed", "were to be right, 55.0% of the 20"),
        (made(calibration=calibration(right=19, worse=True)), "calibration_worse", "log-loss 0.900 without it, 1.100"),
        (made(duplicates=COPIES), "torn_duplicates", "2 tracks are copies of 1 recording"),
        (made(scored="rows"), "random_rows", "single rows were dealt out at random"),
        (made(excluded=LOST), "lost_classes", "no track of d could be learned from"),
        (made(excluded=LOST), "left_out", "5 of 95 labelled tracks were left out: no mfcc_segments features"),
        (made(excluded=SHRUNKEN), "shrunken_classes", "a 30 of 126"),
        (made([*MANY, *["a", "b"] * 15, "c", "c"]), "small_classes", "c has fewer than 5 tracks"),
        (made(["a"] * 150 + ["b"] * 10), "imbalance", "a has 150 tracks and b 10"),
        (made([*["a"] * 60, "b", "c"] + ["a", "b"] * 15), "untested_classes", "nothing is known of c"),
        (made(["c"] * 30 + ["a", "b"] * 15 + ["a", "b", "c"] * 10), "unvalidated_classes", "c had no validation"),
    ],
)  # fmt: skip
def test_a_caution_is_given_for_its_reason(facts, kind, words):
    [found] = [caution for caution in find_cautions(facts) if caution.kind == kind]
    assert words in found.what
    assert found.mend


def test_an_accuracy_that_is_not_above_the_largest_class_is_called_so():
    labels = (["a"] * 5 + ["b"]) * 20
    facts = made(labels, groups=[f"g{at}" for at in range(120)])
    test = facts.evaluation.test
    assert test.majority_share == pytest.approx(25 / 30)
    said_a = score(np.array([0] * 25 + [1] * 5), np.zeros(30, np.int64), ("a", "b"))
    evaluation = facts.evaluation.replace(test=said_a.replace(accuracy_interval=test.accuracy_interval))
    found = find_cautions(StudyFacts(manifest=facts.manifest, split=facts.split, evaluation=evaluation))
    assert "the accuracy of 83.3% is not above that of always naming the largest class, 83.3%" in found[0].what


def test_what_was_never_to_be_learned_from_is_no_loss():
    assert "left_out" not in kinds(made(excluded=UNLABELLED))


def test_whoever_asks_for_every_answer_asks_for_no_rate():
    assert "target_missed" not in kinds(made(calibration=calibration(right=20, answered=30, coverage=1.0)))


def test_an_adaptive_search_over_folds_is_said():
    facts = made()
    parts = tuple(facts.split.partitions[0].replace(name=name) for name in "12")
    folded = StudyFacts(
        manifest=facts.manifest,
        split=facts.split.replace(partitions=parts),
        evaluation=facts.evaluation,
        strategy="bayesian",
    )
    assert "adaptive_search" in kinds(folded)
    assert "adaptive_search" not in kinds(replace(folded, strategy="random"))
    assert "adaptive_search" not in kinds(replace(folded, split=facts.split))


def test_every_check_is_listed_once():
    assert len(set(CHECKS)) == len(CHECKS)
