"""The threshold of an answer: the lowest at which a lower bound of the accuracy of the answers reaches what is asked.

The best threshold by the estimate itself is the luckiest of many, and misses its target on other tracks. Here the
thresholds are tested in turn from the highest down, each by an exact lower bound, and the first that fails ends it:
then the level holds for the one that is chosen (fixed sequence testing; Angelopoulos et al., "Learn then Test", 2021).
Tracks of one group count as fewer, by the design effect (Kish, 1965) of how much groups are right together.
"""

import math

import numpy as np

from pipeline.arrays import Bool, Float64, Int64

RISK = 0.1
"""How often the accuracy that is asked for may be missed."""


def threshold(calibrated: Float64, truth: Int64, units: Int64, *, accuracy: float, coverage: float) -> float:
    """Return the probability below which a model should not answer, by validation rows (n, classes).

    `truth` and `units` (n,) are the rows' classes and groups. Where no threshold is sure to reach `accuracy`, it is
    `accuracy` itself: only what the model takes for so certain is answered. At least the share `coverage` of the rows
    gets an answer, whatever that means for their accuracy. 0 where all may be answered, or without rows.
    """
    if not len(truth):
        return 0.0
    confidence = calibrated.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    sure = confidence[order]
    right = (calibrated.argmax(axis=1) == truth)[order]
    # A threshold cannot separate equal confidences.
    possible = np.flatnonzero(np.append(sure[1:] < sure[:-1], values=True))
    last = _last_sure(right, units[order], possible, accuracy)
    if last is None and not coverage:
        return accuracy
    least = possible[possible >= math.ceil(coverage * len(sure)) - 1][0]
    last = max(-1 if last is None else last, int(least))
    if last == len(sure) - 1:
        return 0.0
    return float((sure[last] + sure[last + 1]) / 2)


def _last_sure(right: Bool, units: Int64, possible: Int64, accuracy: float) -> int | None:
    """Return the last position down to which the answers are sure to be right often enough, or None.

    `right` and `units` (n,) are in the order of falling confidence, `possible` the positions that a threshold can be
    below.
    """
    from scipy.stats import beta

    if accuracy <= 0:
        return len(right) - 1
    answered = possible + 1.0
    shares = np.cumsum(right)[possible] / answered
    effective = answered / _design_effects(right, units, possible)
    hits = shares * effective
    # Clopper and Pearson's lower bound; 0 without a hit.
    bounds = np.where(hits > 0, beta.ppf(RISK, np.maximum(hits, 1e-9), effective - hits + 1), 0.0)
    # Fewer could not reach it, were all of them right.
    tested = np.flatnonzero(effective * math.log(min(accuracy, 1 - 1e-9)) <= math.log(RISK))
    if not len(tested):
        return None
    passed = bounds[tested] >= accuracy
    failed = np.flatnonzero(~passed)
    count = int(failed[0]) if len(failed) else len(tested)
    return int(possible[tested[count - 1]]) if count else None


def _design_effects(right: Bool, units: Int64, possible: Int64) -> Float64:
    """Return by how much the answers down to each position count less for being of groups, (positions,)."""
    correlation = intraclass_correlation(right, units)
    _, unit = np.unique(units, return_inverse=True)
    # Sum of squares of the groups' sizes so far: a track that is its group's k-th adds 2k - 1.
    nth = np.zeros(len(unit))
    order = np.argsort(unit, kind="stable")
    first = np.searchsorted(unit[order], unit[order])
    nth[order] = np.arange(len(unit)) - first + 1
    squares = np.cumsum(2 * nth - 1)[possible]
    effects: Float64 = 1 + (squares / (possible + 1) - 1) * correlation
    return np.maximum(effects, 1.0)


def intraclass_correlation(right: Bool, units: Int64) -> float:
    """Return how much tracks of one group are right together, 0..1 (analysis of variance; Fisher, 1925).

    1 for a single group, of which nothing is known. `right` and `units` have the shape (n,).
    """
    _, unit = np.unique(units, return_inverse=True)
    sizes = np.bincount(unit).astype(np.float64)
    groups, total = len(sizes), float(sizes.sum())
    if groups < 2:
        return 1.0
    if groups == total:
        return 0.0
    shares = np.bincount(unit, weights=right) / sizes
    share = float(np.mean(right))
    between = float((sizes * (shares - share) ** 2).sum()) / (groups - 1)
    within = float((sizes * shares * (1 - shares)).sum()) / (total - groups)
    size = (total - float((sizes**2).sum()) / total) / (groups - 1)
    whole = between + (size - 1) * within
    return min(max((between - within) / whole, 0.0), 1.0) if whole > 0 else 0.0
