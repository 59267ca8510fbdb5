"""Confidence intervals are over whole groups, hold what they promise, and there is none where nothing is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning.evaluation import classes_scored, score
from pipeline.learning.evaluation.intervals import difference_interval, share_interval, with_intervals

CLASSES = ("a", "b", "c")


def intervals(truth, predicted, units):
    truth, predicted, units = (np.asarray(values, np.int64) for values in (truth, predicted, units))
    return with_intervals(score(truth, predicted, CLASSES), truth, predicted, units)


def clustered(random, *, groups, of_group, accuracy, ties):
    """Return (truth, said, units): groups whose tracks are right together, the more so the higher `ties`."""
    units = np.repeat(np.arange(groups), of_group)
    truth = random.integers(3, size=groups)[units]
    chance = random.beta(accuracy / ties, (1 - accuracy) / ties, groups)[units]
    right = random.random(len(units)) < chance
    return truth, np.where(right, truth, (truth + 1) % 3), units


@pytest.mark.parametrize("groups", [3, 4, 6, 10, 20])
def test_the_interval_holds_the_true_accuracy_as_often_as_it_says_from_three_groups_on(groups):
    # groups of 100 tracks whose own accuracies are 0.60 +- 0.12
    random = np.random.default_rng(groups)
    held = 0
    for _ in range(600):
        right = random.binomial(100, np.clip(random.normal(0.6, 0.12, groups), 0, 1)).astype(float)
        interval = share_interval(right, np.full(groups, 100.0))
        held += interval.low <= 0.6 <= interval.high

    assert 0.92 <= held / 600 <= 0.98


def test_one_group_has_no_interval():
    found = intervals([0, 1, 2, 0], [0, 1, 1, 0], [5, 5, 5, 5])

    assert (found.accuracy, found.accuracy_interval, found.macro_f1_interval) == (0.75, None, None)
    assert share_interval(np.array([3.0]), np.array([4.0])) is None
    assert difference_interval(np.array([1.0]), np.array([4.0])) is None


def test_groups_that_agree_have_an_interval_of_some_width():
    # each group has six of ten right: chance would not have made them as equal as that
    found = share_interval(np.full(2, 6.0), np.full(2, 10.0))

    assert found.low < 0.45
    assert found.high > 0.75


def test_groups_that_are_right_or_wrong_together_make_the_interval_wider_than_single_tracks_do():
    random = np.random.default_rng(1)
    truth, predicted, units = clustered(random, groups=40, of_group=10, accuracy=0.7, ties=5.0)

    by_group, by_track = (intervals(truth, predicted, which) for which in (units, np.arange(len(truth))))

    assert by_group.accuracy == by_track.accuracy
    width = [found.accuracy_interval.high - found.accuracy_interval.low for found in (by_group, by_track)]
    assert width[0] > 2 * width[1]
    assert (by_group.accuracy_interval.units, by_track.accuracy_interval.units) == (40, 400)


@settings(max_examples=60, deadline=None)
@given(
    data=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=40),
)
def test_an_interval_is_of_shares_has_some_width_and_its_score_within(data):
    found = intervals(*zip(*data, strict=True))

    assert (found.accuracy_interval is None) == (len({unit for _, _, unit in data}) == 1)
    for interval, value in ((found.accuracy_interval, found.accuracy), (found.macro_f1_interval, found.macro_f1)):
        if interval is not None:
            assert 0 <= interval.low < interval.high <= 1
            assert interval.low - 1e-9 <= value <= interval.high + 1e-9


def test_an_interval_says_how_it_was_made():
    random = np.random.default_rng(2)

    interval = intervals(*clustered(random, groups=30, of_group=2, accuracy=0.7, ties=1.0)).accuracy_interval

    assert (interval.level, interval.method, interval.units) == (0.95, "t", 30)


@pytest.mark.parametrize("accuracy", [0.6, 0.9])
@pytest.mark.parametrize("count", [20, 100])
def test_tracks_that_share_no_group_have_the_interval_of_independent_ones(count, accuracy):
    random = np.random.default_rng(count)
    held = 0
    for right in random.random((600, count)) < accuracy:
        interval = share_interval(right.astype(float), np.ones(count))
        held += interval.low <= accuracy <= interval.high

    assert interval.method == "wilson"
    assert 0.92 <= held / 600 <= 0.98


def test_macro_f1_of_groups_that_agree_has_an_interval_as_wide_as_that_of_single_tracks():
    truth = np.tile([0, 0, 0, 1, 1, 1, 2, 2, 2, 2], 6)
    predicted = np.tile([0, 0, 1, 1, 1, 2, 2, 2, 0, 2], 6)

    alike, single = (intervals(truth, predicted, units) for units in (np.repeat(np.arange(6), 10), np.arange(60)))

    widths = [found.macro_f1_interval.high - found.macro_f1_interval.low for found in (alike, single)]
    assert widths[0] > 0.2
    assert widths[0] == pytest.approx(widths[1], rel=0.1)


def test_the_interval_of_macro_f1_holds_the_true_one():
    random = np.random.default_rng(5)
    accuracies = np.array([0.9, 0.6, 0.5])
    held = 0
    chances = np.full((3, 3), 0.0)
    for label, accuracy in enumerate(accuracies):
        chances[label] = (1 - accuracy) / 2
        chances[label, label] = accuracy
    true = np.mean(2 * accuracies / (1 + chances.sum(axis=0)))
    for _ in range(300):
        truth = np.repeat(np.arange(3), 40)
        predicted = (chances[truth].cumsum(axis=1) > random.random((120, 1))).argmax(axis=1)
        found = intervals(truth, predicted, random.permutation(120) // 2).macro_f1_interval
        held += found.low <= true <= found.high

    assert 0.92 <= held / 300 <= 0.99


def test_without_a_mistake_the_accuracy_has_the_exact_interval_over_groups_and_macro_f1_has_none():
    found = intervals([0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2])

    assert (found.accuracy_interval.method, found.accuracy_interval.units) == ("exact", 3)
    # Clopper and Pearson's for three of three
    assert found.accuracy_interval.low == pytest.approx(0.2924, abs=1e-4)
    assert found.accuracy_interval.high == 1.0
    assert found.macro_f1_interval is None


def test_macro_f1_has_an_interval_around_it_also_with_a_class_that_was_never_tested():
    random = np.random.default_rng(3)
    truth = random.integers(2, size=200)
    predicted = np.where(random.random(200) < 0.8, truth, 1 - truth)

    found = intervals(truth, predicted, np.arange(200))

    assert found.macro_f1_interval.low < found.macro_f1 < found.macro_f1_interval.high
    # over the two classes that occur
    assert found.macro_f1 == pytest.approx(0.8, abs=0.06)


def test_macro_f1_is_the_mean_of_the_classes_that_occur():
    found = score(np.array([0, 1, 0]), np.array([0, 1, 0]), CLASSES)
    mixed = score(np.array([0, 1, 0]), np.array([0, 1, 2]), CLASSES)

    assert (found.macro_f1, classes_scored(found)) == (1.0, 2)
    # given to a track and so a mistake, although no track is of it
    assert (mixed.macro_f1, classes_scored(mixed)) == (pytest.approx((2 / 3 + 1 + 0) / 3), 3)
    assert classes_scored(score(np.zeros(0, np.int64), np.zeros(0, np.int64), CLASSES)) == 0


def test_nothing_scored_has_no_interval():
    assert intervals([], [], []).accuracy_interval is None


def test_the_interval_of_a_difference_holds_it_and_is_none_without_units():
    random = np.random.default_rng(4)
    more = random.binomial(6, 0.3, 50) - random.binomial(6, 0.1, 50)

    found = difference_interval(more.astype(float), np.full(50, 6.0))

    assert found.low < more.sum() / 300 < found.high
    assert found.low > 0
    assert difference_interval(np.zeros(0), np.zeros(0)) is None


def test_no_difference_in_any_group_still_leaves_some_unseen():
    found = difference_interval(np.zeros(5), np.ones(5))

    assert (found.method, found.low) == ("exact", -found.high)
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 5))


def test_a_share_without_a_mistake_has_the_exact_interval():
    assert share_interval(np.full(10, 3.0), np.full(10, 3.0)).method == "exact"
    assert share_interval(np.zeros(10), np.full(10, 3.0)).low == 0.0
