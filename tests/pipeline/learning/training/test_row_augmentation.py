"""Training rows altered: masks, noise, gain."""

import numpy as np
import pytest

from pipeline.learning.models.base import LabelledRows
from pipeline.learning.training.row_augmentation import augment_rows
from pipeline.plans.augmentation import RowAugmentation


@pytest.fixture
def pictures() -> LabelledRows:
    random = np.random.default_rng(0)
    return LabelledRows(x=random.normal(3.0, 2.0, (40, 50, 12)).astype(np.float32), y=random.integers(0, 3, 40))


@pytest.fixture
def vectors(pictures) -> LabelledRows:
    return LabelledRows(x=pictures.x[:, 0], y=pictures.y)


def test_without_a_plan_rows_are_left_alone(vectors):
    assert augment_rows(vectors, None, seed=1) is vectors


def test_copies_stand_behind_the_rows_with_their_labels(vectors):
    out = augment_rows(vectors, RowAugmentation(copies=2, noise_sd=0.1), seed=1)
    assert out.x.shape == (120, 12)
    assert out.x.dtype == np.float32
    np.testing.assert_array_equal(out.x[:40], vectors.x)
    np.testing.assert_array_equal(out.y, np.tile(vectors.y, 3))
    assert not np.array_equal(out.x[40:80], out.x[80:])


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(vectors):
    plan = RowAugmentation(noise_sd=0.1)
    first, again, other = (augment_rows(vectors, plan, seed=seed).x for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_rows_handed_in_are_not_changed(pictures):
    before = pictures.x.copy()
    augment_rows(pictures, RowAugmentation(time_masks=2, column_masks=2, noise_sd=1, scale_sd=1), seed=1)
    np.testing.assert_array_equal(pictures.x, before)


def test_noise_has_the_deviation_given_in_each_columns_own_measure(pictures):
    scaled = LabelledRows(x=pictures.x * np.logspace(-2, 3, 12, dtype=np.float32), y=pictures.y)
    noise = augment_rows(scaled, RowAugmentation(noise_sd=0.25), seed=1).x[40:] - scaled.x
    share = noise.std(axis=(0, 1)) / scaled.x.std(axis=(0, 1))
    np.testing.assert_allclose(share, 0.25, rtol=0.05)


def test_gain_moves_a_row_along_its_line_through_the_mean(vectors):
    copy = augment_rows(vectors, RowAugmentation(scale_sd=0.3), seed=1).x[40:]
    mean = vectors.x.mean(axis=0)
    factors = (copy - mean) / (vectors.x - mean)
    assert np.allclose(factors, np.median(factors, axis=1, keepdims=True), rtol=1e-2)
    assert np.median(factors, axis=1).std() == pytest.approx(0.3, rel=0.4)


@pytest.mark.parametrize(
    ("plan", "axis", "widest"),
    [
        (RowAugmentation(time_masks=1, time_share=0.2), 0, 10),
        (RowAugmentation(column_masks=1, column_share=0.5), 1, 6),
    ],
)
def test_a_mask_is_one_band_of_means_no_wider_than_given(pictures, plan, axis, widest):
    out = augment_rows(pictures, plan, seed=1).x[40:]
    mean = pictures.x.mean(axis=(0, 1))
    widths = []
    for before, after in zip(pictures.x, out, strict=True):
        hidden = (before != after).any(axis=1 - axis)
        widths.append(int(hidden.sum()))
        # one run without gaps
        assert np.count_nonzero(np.diff(np.concatenate([[0], hidden, [0]]))) == 2
        masked = np.broadcast_to(mean, after.shape).compress(hidden, axis=axis)
        np.testing.assert_allclose(after.compress(hidden, axis=axis), masked, atol=1e-5)
        np.testing.assert_array_equal(after.compress(~hidden, axis=axis), before.compress(~hidden, axis=axis))
    assert max(widths) == widest
    assert min(widths) >= 1


def test_columns_of_vectors_can_be_masked_too(vectors):
    out = augment_rows(vectors, RowAugmentation(column_masks=1, column_share=0.5), seed=1).x[40:]
    assert (out != vectors.x).any()


def test_time_masks_are_refused_where_rows_have_no_time(vectors):
    with pytest.raises(ValueError, match="have no time that could be masked"):
        augment_rows(vectors, RowAugmentation(time_masks=1), seed=1)
