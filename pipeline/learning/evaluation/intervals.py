"""Confidence intervals of scores over whole groups: tracks of one group are right or wrong together.

A score is a ratio of sums over groups. Its variance is that of the groups' residuals, each divided by one less its
share of all (HC2: MacKinnon and White, 1985; Bell and McCaffrey, 2002), and the quantile is Student's for as many
degrees of freedom as there are groups of equal size (Kish, 1965) less one, on the scale of the logit, which keeps it
within 0..1. No interval is narrower than that of as many independent tracks: groups that agree more than these would
do so by chance. Where each track is a group of its own, it is Wilson's (1927), whose variance need not be estimated.
One group has no interval: nothing can be said about others by it.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.study.findings import Interval
from pipeline.learning.study.results import Scores

LEVEL = 0.95

# Numbers in memory at once.
_AT_ONCE = 2_000_000


def with_intervals(scores: Scores, truth: Int64, predicted: Int64, units: Int64) -> Scores:
    """Return scores with the intervals of accuracy and macro F1.

    `truth` and `predicted` are class indices and `units` the groups of what was scored, all of shape (n,). The macro F1
    has its variance by leaving out one group after the other (jackknife), or one track after the other where that tells
    more, and no interval where no track is wrong, or none right.
    """
    if not len(truth):
        return scores
    _, unit = np.unique(units, return_inverse=True)
    counted = np.bincount(unit).astype(np.float64)
    right = np.bincount(unit, weights=truth == predicted).astype(np.float64)
    table = _Table.of(truth, predicted, unit, classes=len(scores.per_class))
    cells = _Table.of(truth, predicted, truth * len(scores.per_class) + predicted, classes=len(scores.per_class))
    return scores.replace(
        accuracy_interval=share_interval(right, counted), macro_f1_interval=_macro_f1_interval(table, cells, counted)
    )


def effective_groups(counted: Float64) -> float:
    """Return how many groups of equal size weigh as much as groups of these sizes (Kish, 1965); 0 without any."""
    total = float(counted.sum())
    return total**2 / float((counted**2).sum()) if total else 0.0


def share_interval(right: Float64, counted: Float64) -> Interval | None:
    """Return the interval of a share, from the counts of right answers and of all in each unit, both (units,).

    Where not one is wrong, or right, it is the exact one (Clopper and Pearson, 1934) of so many units of equal size.
    None with fewer than two units.
    """
    right, counted = right[counted > 0], counted[counted > 0]
    units, total = len(counted), float(counted.sum())
    if units < 2:
        return None
    share = float(right.sum()) / total
    if share in {0.0, 1.0}:
        return _exact(share, effective_groups(counted), units)
    if units == total:
        return _wilson(share, units)
    half = _half_width(_variance(right - share * counted, counted), share * (1 - share) / total, counted)
    return _logit_interval(share, half, units)


def difference_interval(more: Float64, counted: Float64) -> Interval | None:
    """Return the interval of a difference of two shares, from difference and count of each unit, both (units,).

    Where no unit differs, it reaches as far as the share of differing units that would not have been seen. None with
    fewer than two units.
    """
    more, counted = more[counted > 0], counted[counted > 0]
    units, total = len(counted), float(counted.sum())
    if units < 2:
        return None
    difference = float(more.sum()) / total
    least = max(float(np.abs(more).sum()) / total - difference**2, 0.0) / total
    half = _half_width(_variance(more - difference * counted, counted), least, counted)
    is_exact = half == 0
    if is_exact:
        half = 1 - (1 - LEVEL) ** (1 / effective_groups(counted))
    low, high = max(difference - half, -1.0), min(difference + half, 1.0)
    return Interval(low=low, high=high, level=LEVEL, method="exact" if is_exact else "t", units=units)


def _variance(residuals: Float64, counted: Float64) -> float:
    """Return the variance of a ratio of sums, from the residuals and counts of units, both (units,)."""
    total = float(counted.sum())
    leverage = 1 - counted / total
    return float((residuals**2 / leverage).sum()) / total**2


def _half_width(variance: float, independent: float, counted: Float64) -> float:
    """Return half the width of an interval, from the variance over units and that of as many independent tracks."""
    from scipy.stats import norm, t

    quantile = (1 + LEVEL) / 2
    over_units = 0.0
    if variance > 0:
        over_units = float(t.ppf(quantile, effective_groups(counted) - 1)) * math.sqrt(variance)
    return max(over_units, float(norm.ppf(quantile)) * math.sqrt(independent))


def _logit_interval(share: float, half: float, units: int) -> Interval:
    """Return the interval of a share within 0..1, exclusive, from half its width on the scale of the share."""
    from scipy.special import expit, logit

    reach = half / (share * (1 - share))
    low, high = (float(expit(logit(share) + sign * reach)) for sign in (-1, 1))
    return Interval(low=low, high=high, level=LEVEL, method="t", units=units)


def _wilson(share: float, units: int) -> Interval:
    """Return the interval of a share of units that are independent of each other."""
    from scipy.stats import binomtest

    found = binomtest(round(share * units), units).proportion_ci(LEVEL, method="wilson")
    return Interval(low=float(found.low), high=float(found.high), level=LEVEL, method="wilson", units=units)


def _exact(share: float, effective: float, units: int) -> Interval:
    """Return the interval where all of so many effective units agree."""
    unseen = float(1 - ((1 - LEVEL) / 2) ** (1 / effective))
    low, high = (0.0, unseen) if share == 0 else (1 - unseen, 1.0)
    return Interval(low=low, high=high, level=LEVEL, method="exact", units=units)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Counts of each unit (units, 3 x classes): right, predicted, true, class by class; sparse."""

    counts: Any
    classes: int
    units: int

    @classmethod
    def of(cls, truth: Int64, predicted: Int64, unit: Int64, *, classes: int) -> "_Table":
        """Return the counts of answers; all arrays (n,)."""
        from scipy.sparse import coo_array

        _, unit = np.unique(unit, return_inverse=True)
        units = int(unit.max()) + 1
        right = truth == predicted
        columns = np.concatenate([truth[right], classes + predicted, 2 * classes + truth])
        rows = np.concatenate([unit[right], unit, unit])
        counts = coo_array((np.ones(len(rows)), (rows, columns)), shape=(units, 3 * classes)).tocsr()
        return cls(counts=counts, classes=classes, units=units)

    def macro_f1(self, counts: Float64) -> Float64:
        """Return the macro F1 of summed counts (m, 3 x classes), over the classes that occur, shape (m,)."""
        right, predicted, true = np.split(counts, 3, axis=1)
        occurring = predicted + true
        f1 = np.divide(2 * right, occurring, out=np.zeros_like(right), where=occurring > 0)
        present = np.maximum(np.count_nonzero(occurring, axis=1), 1)
        mean: Float64 = f1.sum(axis=1) / present
        return mean

    def without(self, total: Float64, sizes: Float64) -> Float64:
        """Return the macro F1 of `total` (1, 3 x classes) without a `sizes`-th (units,) of each unit, (units,)."""
        step = max(_AT_ONCE // (3 * self.classes), 1)
        parts = [
            self.macro_f1(total - self.counts[at : at + step].toarray() / sizes[at : at + step, None])
            for at in range(0, self.units, step)
        ]
        return np.concatenate(parts)


def _macro_f1_interval(table: _Table, cells: _Table, counted: Float64) -> Interval | None:
    """Return the interval of the macro F1 by the jackknife over units; None for one unit, or where all tracks agree.

    `cells` are the counts of the tracks by true and given class: tracks of one cell are alike, so one of each stands
    for all in the jackknife over tracks.
    """
    if table.units < 2:
        return None
    total = np.asarray(table.counts.sum(axis=0))[None]
    (score,) = table.macro_f1(total)
    if not 0 < score < 1:
        return None
    without_unit = table.without(total, np.ones(table.units))
    variance = (table.units - 1) / table.units * float(((without_unit - without_unit.mean()) ** 2).sum())
    sizes = np.asarray(cells.counts[:, 2 * cells.classes :].sum(axis=1)).astype(np.float64)
    tracks = float(sizes.sum())
    without_track = cells.without(total, sizes)
    squares = (without_track - np.average(without_track, weights=sizes)) ** 2
    independent = (tracks - 1) / tracks * float((sizes * squares).sum())
    return _logit_interval(float(score), _half_width(variance, independent, counted), table.units)
