"""Augmentation of training rows: masks, noise, gain."""

from dataclasses import replace

import numpy as np

from pipeline.arrays import Float32
from pipeline.learning.models.base import LabelledRows, column_statistics
from pipeline.plans.augmentation import RowAugmentation


def augment_rows(train: LabelledRows, plan: RowAugmentation | None, *, seed: int) -> LabelledRows:
    """Return training rows with altered copies behind them, in the order of the rows; the same for the same seed.

    Raises `ValueError` when time is to be masked in rows that are vectors.
    """
    if plan is None:
        return train
    if plan.time_masks and train.x.ndim != 3:
        raise ValueError(f"rows of shape {train.x.shape[1:]} have no time that could be masked; leave time_masks out")
    mean, deviation = (statistic.astype(np.float32) for statistic in column_statistics(train.x))
    # The second number keeps these draws apart from those of a model with the same seed.
    random = np.random.default_rng([seed % 2**64, 0x617567])
    copies = [_altered(train.x, plan, mean, deviation, random) for _ in range(plan.copies)]
    return replace(train, x=np.concatenate([train.x, *copies]), y=np.tile(train.y, plan.copies + 1))


def _altered(
    x: Float32, plan: RowAugmentation, mean: Float32, deviation: Float32, random: np.random.Generator
) -> Float32:
    """Return an altered copy of rows (n, *row_shape); `mean` and `deviation` (columns,) are theirs."""
    per_row = (len(x),) + (1,) * (x.ndim - 1)
    out = x.copy()
    if plan.scale_sd:
        factor = 1 + plan.scale_sd * random.standard_normal(per_row, np.float32)
        out = mean + (out - mean) * factor
    if plan.noise_sd:
        out += np.float32(plan.noise_sd) * deviation * random.standard_normal(x.shape, np.float32)
    for axis, masks, share in (
        (1, plan.time_masks, plan.time_share),
        (x.ndim - 1, plan.column_masks, plan.column_share),
    ):
        for _ in range(masks):
            np.copyto(out, mean, where=_band(x.shape, axis, share, random))
    return out


def _band(shape: tuple[int, ...], axis: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Return where one band of each row lies, bool, to be broadcast to the rows: up to a share of an axis, anywhere."""
    rows, length = shape[0], shape[axis]
    width = random.integers(1, max(int(share * length), 1), rows, endpoint=True)
    first = random.integers(0, length - width, endpoint=True)
    indices = np.arange(length)
    inside = (indices >= first[:, None]) & (indices < (first + width)[:, None])
    return inside.reshape([rows if at == 0 else length if at == axis else 1 for at in range(len(shape))])
