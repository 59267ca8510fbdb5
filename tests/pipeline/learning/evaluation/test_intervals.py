"""Confidence intervals draw whole groups again, hold what they promise, and say nothing where nothing is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning.evaluation import score
from pipeline.learning.evaluation.intervals import difference_interval, share_interval, with_intervals

CLASSES = ("a", "b", "c")


def intervals(truth, predicted, units, *, seed=0):
    truth, predicted, units = (np.asarray(values, np.int64) for values in (truth, predicted, units))
    return with_intervals(score(truth, predicted, CLASSES), truth, predicted, units, seed=seed)


def clustered(random, *, groups, of_group, accuracy, ties):
    """Return (truth, said, units): groups whose tracks are right together, the more so the higher `ties`."""
    units = np.repeat(np.arange(groups), of_group)
    truth = random.integers(3, size=groups)[units]
    chance = random.beta(accuracy / ties, (1 - accuracy) / ties, groups)[units]
    right = random.random(len(units)) < chance
    return truth, np.where(right, truth, (truth + 1) % 3), units


def test_the_interval_of_clustered_answers_holds_the_true_accuracy_as_often_as_it_says():
    random = np.random.default_rng(0)
    held = []
    for seed in range(150):
        found = intervals(*clustered(random, groups=60, of_group=5, accuracy=0.8, ties=0.5), seed=seed)
        held.append(found.accuracy_interval.low <= 0.8 <= found.accuracy_interval.high)

    assert 0.90 <= np.mean(held) <= 0.99


def test_groups_that_are_right_or_wrong_together_make_the_interval_wider_than_single_tracks_do():
    random = np.random.default_rng(1)
    truth, predicted, units = clustered(random, groups=40, of_group=10, accuracy=0.7, ties=5.0)

    by_group, by_track = (intervals(truth, predicted, which) for which in (units, np.arange(len(truth))))

    assert by_group.accuracy == by_track.accuracy
    width = [found.accuracy_interval.high - found.accuracy_interval.low for found in (by_group, by_track)]
    assert width[0] > 2 * width[1]
    assert (by_group.accuracy_interval.units, by_track.accuracy_interval.units) == (40, 400)


@settings(max_examples=40, deadline=None)
@given(
    data=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=40),
    seed=st.integers(0, 5),
)
def test_an_interval_is_of_shares_in_order_and_the_same_for_the_same_seed(data, seed):
    found = intervals(*zip(*data, strict=True), seed=seed)

    assert found == intervals(*zip(*data, strict=True), seed=seed)
    for interval in filter(None, (found.accuracy_interval, found.macro_f1_interval)):
        assert 0 <= interval.low <= interval.high <= 1


def test_an_interval_says_how_it_was_made():
    random = np.random.default_rng(2)

    interval = intervals(*clustered(random, groups=30, of_group=2, accuracy=0.7, ties=1.0), seed=7).accuracy_interval

    assert (interval.level, interval.method, interval.units, interval.resamples, interval.seed) == (
        0.95,
        "bootstrap",
        30,
        2000,
        7,
    )


def test_without_a_mistake_the_accuracy_has_wilsons_interval_over_groups_and_macro_f1_has_none():
    found = intervals([0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2])

    assert found.accuracy_interval.method == "wilson"
    assert found.accuracy_interval.units == 3
    assert found.accuracy_interval.low == pytest.approx(0.4385, abs=1e-3)
    assert found.accuracy_interval.high == 1.0
    assert found.macro_f1_interval is None


def test_macro_f1_has_an_interval_around_it_also_with_a_class_that_was_never_tested():
    random = np.random.default_rng(3)
    truth = random.integers(2, size=200)
    predicted = np.where(random.random(200) < 0.8, truth, 1 - truth)

    found = intervals(truth, predicted, np.arange(200))

    assert found.macro_f1_interval.low < found.macro_f1 < found.macro_f1_interval.high
    assert found.macro_f1_interval.high < 2 / 3


def test_nothing_scored_has_no_interval():
    assert intervals([], [], []).accuracy_interval is None


def test_the_interval_of_a_difference_holds_it_and_is_none_without_units():
    random = np.random.default_rng(4)
    more = random.binomial(6, 0.3, 50) - random.binomial(6, 0.1, 50)

    found = difference_interval(more.astype(float), np.full(50, 6.0), seed=0)

    assert found.low < more.sum() / 300 < found.high
    assert found.low > 0
    assert difference_interval(np.zeros(0), np.zeros(0), seed=0) is None
    assert difference_interval(np.zeros(5), np.ones(5), seed=0).high == 0.0


def test_a_share_without_a_mistake_has_wilsons_interval():
    assert share_interval(np.full(10, 3.0), np.full(10, 3.0), seed=0).method == "wilson"
    assert share_interval(np.zeros(10), np.full(10, 3.0), seed=0).low == 0.0
