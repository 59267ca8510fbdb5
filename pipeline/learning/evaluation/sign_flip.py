"""The exact paired test of two models over groups: their gains, each of whose signs chance may have flipped.

If two models are alike, a group in which one is right more often than the other might as well have been the other way
round. Of all the ways to choose the signs of the groups' gains, p is the share in which the sum is at least the one
that was seen (Fisher, 1935; Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005).
"""

import math

import numpy as np

from pipeline.arrays import Int64

DRAWS = 20_000
"""Of signs, where there are too many groups and tracks for all of them."""

_EXACT = 20_000_000
"""Groups times tracks up to which all ways are counted."""


def sign_flip_p(gains: Int64, *, seed: int) -> float:
    """Return how often chance alone would make the sum of the groups' gains at least so large.

    `gains` (groups,) are tracks that the challenger has more right than the champion. Exact where the groups that
    differ times their tracks are few enough, else by seeded draws, which count themselves in.
    """
    sizes = np.abs(gains[gains != 0]).astype(np.int64)
    observed, total = int(gains.sum()), int(sizes.sum())
    if not len(sizes):
        return 1.0
    if len(sizes) * total > _EXACT:
        return _drawn(sizes, observed, seed=seed)
    # The probability of each sum of the gains that count for the challenger, 0..total.
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    reach = 0
    for size in sizes.tolist():
        shifted = np.zeros(total + 1)
        shifted[size : reach + size + 1] = chances[: reach + 1]
        chances = (chances + shifted) / 2
        reach += size
    # A sum s of those that count for it makes a difference of 2 s - total.
    return float(min(chances[math.ceil((observed + total) / 2) :].sum(), 1.0))


def least_p(groups: int) -> float:
    """Return the least p that so many groups can give: all of them ahead."""
    return 0.5**groups


def groups_needed(level: float) -> int:
    """Return how many groups that differ are needed before p can be at or below a level."""
    return math.ceil(-math.log2(level))


def _drawn(sizes: Int64, observed: int, *, seed: int) -> float:
    random = np.random.default_rng(seed % 2**64)
    step = max(_EXACT // (10 * len(sizes)), 1)
    reached = 0
    for first in range(0, DRAWS, step):
        signs = random.integers(0, 2, (min(step, DRAWS - first), len(sizes)), dtype=np.int8) * 2 - 1
        reached += int((signs @ sizes >= observed).sum())
    return (reached + 1) / (DRAWS + 1)
