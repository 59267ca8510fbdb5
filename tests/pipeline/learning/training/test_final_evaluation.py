"""Scores, against values counted by hand."""

import numpy as np
import pytest

from pipeline.learning.evaluation import score, score_counts

CLASSES = ("a", "b", "c")


def test_scores_are_what_counting_by_hand_gives():
    scores = score(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0]), CLASSES)

    assert scores.n == 6
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.confusion == ((2, 1, 0), (0, 2, 0), (1, 0, 0))
    assert scores.per_class["a"].precision == pytest.approx(2 / 3)
    assert scores.per_class["a"].recall == pytest.approx(2 / 3)
    assert scores.per_class["b"].precision == pytest.approx(2 / 3)
    assert scores.per_class["b"].recall == 1.0
    assert scores.per_class["b"].f1 == pytest.approx(0.8)
    assert (scores.per_class["c"].precision, scores.per_class["c"].recall, scores.per_class["c"].f1) == (0, 0, 0)
    assert scores.per_class["c"].n == 1
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0.8) / 3)


def test_a_class_without_tracks_scores_zero_and_warns_nobody():
    scores = score(np.array([0, 1]), np.array([0, 1]), CLASSES)

    assert scores.accuracy == 1.0
    assert scores.per_class["c"].n == 0
    assert scores.per_class["c"].f1 == 0.0


def test_no_tracks_score_zero():
    scores = score(np.array([], int), np.array([], int), CLASSES)

    assert (scores.n, scores.accuracy, scores.macro_f1) == (0, 0.0, 0.0)


def test_a_confusion_matrix_gives_back_the_scores_it_came_from():
    random = np.random.default_rng(0)
    scores = score(random.integers(0, 3, 50), random.integers(0, 3, 50), CLASSES)

    assert score_counts(scores.confusion, CLASSES) == scores
