"""Confidence intervals of scores by a bootstrap over whole groups: tracks of one group are right or wrong together."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.study.findings import Interval
from pipeline.learning.study.results import Scores

RESAMPLES = 2000
LEVEL = 0.95

# Numbers in memory at once, and units drawn in all: with more units fewer resamples are as exact.
_AT_ONCE = 2_000_000
_DRAWN = 40_000_000
_FEWEST = 400


def with_intervals(scores: Scores, truth: Int64, predicted: Int64, units: Int64, *, seed: int) -> Scores:
    """Return scores with the intervals of accuracy and macro F1.

    `truth` and `predicted` are class indices and `units` the groups of what was scored, all of shape (n,). Groups are
    drawn with replacement, for the BCa percentiles (Efron, 1987): bias-corrected and accelerated. Where not one answer
    was wrong (or right) all resamples are alike; the accuracy then has Wilson's interval for that many
    groups, the macro F1 none. Equal seeds give equal intervals.
    """
    if not len(truth):
        return scores
    _, unit = np.unique(units, return_inverse=True)
    table = _Table.of(truth, predicted, unit, classes=len(scores.per_class))
    right = int(np.count_nonzero(truth == predicted))
    if right in {0, len(truth)}:
        return scores.replace(accuracy_interval=_wilson(table.units if right else 0, table.units))
    accuracy, macro_f1 = _bootstrap(table, seed=seed)
    return scores.replace(accuracy_interval=accuracy, macro_f1_interval=macro_f1)


def share_interval(right: Float64, counted: Float64, *, seed: int) -> Interval | None:
    """Return the interval of a share, from the counts of right answers and of all in each unit, both (units,).

    Wilson's where not one is wrong, or right; None without units.
    """
    if counted.sum() and right.sum() in {0.0, counted.sum()}:
        return _wilson(len(counted) if right.any() else 0, len(counted))
    return difference_interval(right, counted, seed=seed)


def difference_interval(more: Float64, counted: Float64, *, seed: int) -> Interval | None:
    """Return the interval of a difference of two shares, from difference and count of each unit, both (units,)."""
    units, total = len(counted), float(counted.sum())
    if not total:
        return None
    resamples = _resamples(units)
    rng = np.random.default_rng([seed % 2**64, units])
    both = np.stack([more, counted], axis=1)
    estimates = np.concatenate([weights @ both for weights in _weights(units, resamples, rng)])
    others = both.sum(axis=0) - both
    jackknife = others[:, 0] / np.maximum(others[:, 1], 1)
    low, high = _bca(estimates[:, 0] / np.maximum(estimates[:, 1], 1), float(more.sum()) / total, jackknife)
    return Interval(low=low, high=high, level=LEVEL, method="bootstrap", units=units, resamples=resamples, seed=seed)


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

        units = int(unit.max()) + 1
        right = truth == predicted
        columns = np.concatenate([truth[right], classes + predicted, 2 * classes + truth])
        rows = np.concatenate([unit[right], unit, unit])
        counts = coo_array((np.ones(len(rows)), (rows, columns)), shape=(units, 3 * classes)).tocsr()
        return cls(counts=counts, classes=classes, units=units)

    def scores(self, counts: Float64, *, tested: Float64) -> Float64:
        """Return accuracy and macro F1 of summed counts (m, 3 x classes), shape (m, 2).

        A class that is not in a resample is left out of its mean; one that was never `tested` (classes,) counts as 0.
        """
        right, predicted, true = np.split(counts, 3, axis=1)
        occurring = predicted + true
        f1 = np.divide(2 * right, occurring, out=np.zeros_like(right), where=occurring > 0)
        present = np.maximum(np.count_nonzero(occurring, axis=1), 1)
        share = np.count_nonzero(tested) / self.classes
        accuracy = right.sum(axis=1) / np.maximum(true.sum(axis=1), 1)
        return np.stack([accuracy, f1.sum(axis=1) / present * share], axis=1)


def _bootstrap(table: _Table, *, seed: int) -> tuple[Interval, Interval]:
    """Return the intervals of accuracy and macro F1."""
    rng = np.random.default_rng([seed % 2**64, table.units])
    resamples = _resamples(table.units)
    total = np.asarray(table.counts.sum(axis=0))[None]
    tested = total[0, table.classes : 2 * table.classes] + total[0, 2 * table.classes :]
    estimates = np.concatenate(
        [
            table.scores(np.asarray((table.counts.T @ weights.T).T), tested=tested)
            for weights in _weights(table.units, resamples, rng)
        ]
    )
    step = max(_AT_ONCE // (3 * table.classes), 1)
    jackknife = np.concatenate(
        [
            table.scores(total - table.counts[first : first + step].toarray(), tested=tested)
            for first in range(0, table.units, step)
        ]
    )
    (estimate,) = table.scores(total, tested=tested)
    bounds = [_bca(estimates[:, which], float(estimate[which]), jackknife[:, which]) for which in range(2)]
    accuracy, macro_f1 = (
        Interval(low=low, high=high, level=LEVEL, method="bootstrap", units=table.units, resamples=resamples, seed=seed)
        for low, high in bounds
    )
    return accuracy, macro_f1


def _resamples(units: int) -> int:
    return int(np.clip(_DRAWN // units, _FEWEST, RESAMPLES))


def _weights(units: int, resamples: int, rng: np.random.Generator) -> Any:
    """Yield how often each unit is drawn, in batches (b, units)."""
    step = max(_AT_ONCE // units, 1)
    for first in range(0, resamples, step):
        yield rng.multinomial(units, np.full(units, 1 / units), size=min(step, resamples - first)).astype(np.float64)


def _bca(estimates: Float64, estimate: float, jackknife: Float64) -> tuple[float, float]:
    """Return the bias-corrected and accelerated percentiles of bootstrapped scores."""
    from scipy.special import ndtr, ndtri

    below = np.mean(estimates < estimate) + np.mean(estimates == estimate) / 2
    bias = ndtri(np.clip(below, 1 / len(estimates), 1 - 1 / len(estimates)))
    off = jackknife.mean() - jackknife
    spread = float((off**2).sum())
    acceleration = float((off**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    z = bias + ndtri(np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    low, high = np.quantile(estimates, ndtr(bias + z / np.maximum(1 - acceleration * z, 1e-3)))
    return float(low), float(high)


def _wilson(right: int, n: int) -> Interval:
    """Return Wilson's score interval of a share of units."""
    from scipy.stats import binomtest  # takes a second to import

    interval = binomtest(right, n).proportion_ci(LEVEL, method="wilson")
    return Interval(low=float(interval.low), high=float(interval.high), level=LEVEL, method="wilson", units=n)
