"""The threshold of an answer keeps what was asked on other tracks, not only on those that it was chosen by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning.evaluation.threshold import intraclass_correlation, threshold
from pipeline.learning.study.findings import AnswerRule


def honest(count, *, shape, random):
    """Return (probabilities, truth): a confidence of 0.34 to 1 that is right as often as it says."""
    sure = 0.34 + 0.66 * random.beta(*shape, count)
    rest = (1 - sure) / 2
    return np.stack([sure, rest, rest], axis=1), np.where(random.random(count) < sure, 0, 1)


@pytest.mark.parametrize("count", [32, 100, 1000])
@pytest.mark.parametrize("shape", [(3, 1.2), (2, 1)])
def test_the_answers_reach_what_is_asked_in_nine_of_ten_runs(count, shape):
    random = np.random.default_rng(count)
    sure, truth = honest(200_000, shape=shape, random=random)
    missed = 0
    for _ in range(100):
        least = threshold(*honest(count, shape=shape, random=random), np.arange(count), accuracy=0.9, coverage=0)
        missed += np.mean(truth[sure[:, 0] >= least] == 0) < 0.9

    assert missed <= 10


def test_many_tracks_that_are_right_are_all_answered():
    probabilities = np.tile([0.8, 0.2], (60, 1)) + np.linspace(0, 0.1, 60)[:, None] * [1, -1]

    assert threshold(probabilities, np.zeros(60, np.int64), np.arange(60), accuracy=0.9, coverage=0) == 0.0


def test_where_no_threshold_is_sure_only_what_is_certain_enough_is_answered():
    probabilities = np.array([[0.95, 0.05], [0.9, 0.1], [0.7, 0.3]])

    assert threshold(probabilities, np.zeros(3, np.int64), np.arange(3), accuracy=0.9, coverage=0) == 0.9


def test_one_group_is_sure_of_nothing():
    probabilities = np.tile([0.8, 0.2], (300, 1)) + np.linspace(0, 0.1, 300)[:, None] * [1, -1]

    assert threshold(probabilities, np.zeros(300, np.int64), np.zeros(300, np.int64), accuracy=0.9, coverage=0) == 0.9


def test_a_threshold_never_parts_equal_confidences():
    probabilities = np.repeat([[0.9, 0.1], [0.6, 0.4]], 40, axis=0)
    truth = np.repeat([0, 1], 40)

    assert threshold(probabilities, truth, np.arange(80), accuracy=0.9, coverage=0) == pytest.approx(0.75)


@settings(max_examples=60, deadline=None)
@given(
    graded=st.lists(st.tuples(st.floats(0.5, 1.0), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40),
    accuracy=st.floats(0, 1),
    coverage=st.floats(0, 1),
)
def test_a_threshold_keeps_the_coverage_that_is_asked(graded, accuracy, coverage):
    sure = np.array([confidence for confidence, _, _ in graded])
    probabilities = np.stack([sure, 1 - sure], axis=1)
    truth = np.array([0 if right else 1 for _, right, _ in graded])
    units = np.array([unit for _, _, unit in graded])

    least = threshold(probabilities, truth, units, accuracy=accuracy, coverage=coverage)

    assert (~AnswerRule(threshold=least).unsure(probabilities)).mean() >= coverage or least == accuracy


def test_tracks_of_groups_that_are_right_together_are_correlated():
    units = np.repeat(np.arange(20), 10)
    together = np.repeat(np.arange(20) % 2 == 0, 10)

    assert intraclass_correlation(together, units) == pytest.approx(1.0)
    assert intraclass_correlation(np.tile([True, False], 100), units) == 0.0
    assert intraclass_correlation(together, np.arange(200)) == 0.0
    assert intraclass_correlation(together, np.zeros(200, np.int64)) == 1.0
