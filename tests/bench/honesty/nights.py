"""Homes whose models never get better, night after night: in how many a year promotes one all the same."""

import sys

import numpy as np

from pipeline.learning.evaluation.gate import spent_level
from pipeline.learning.evaluation.sign_flip import sign_flip_p

HOMES = 2000
NIGHTS = 365
LEVEL = 0.05


def simulate() -> None:
    """Print the share of homes with a promotion, by held-out tracks, and by how much the champion then looks better."""
    sys.stdout.write(f"\nhomes of {HOMES:,} with a promotion in {NIGHTS} nights of models that never get better\n")
    for tracks in (50, 100, 300):
        random = np.random.default_rng(tracks)
        promoted, flattered = 0, []
        for home in range(HOMES):
            ease = random.beta(2, 0.7, tracks)
            gain = _year(ease, home, random)
            promoted += gain is not None
            flattered.append(gain or 0.0)
        sys.stdout.write(
            f"{tracks:>4} held-out tracks: {100 * promoted / HOMES:.1f} % of homes, the champion looks better by "
            f"{100 * np.mean(flattered):+.2f} points on average\n"
        )


def _year(ease: np.ndarray, home: int, random: np.random.Generator) -> float | None:
    """Return by how much the first challenger that is promoted looks better than it is; None if none is."""
    champion = random.random(len(ease)) < ease
    challengers = random.random((NIGHTS, len(ease))) < ease
    differing = (challengers != champion).sum(axis=1)
    gains = challengers.astype(np.int64) - champion
    sums = gains.sum(axis=1)
    for night in range(NIGHTS):
        level = spent_level(LEVEL, night + 1)
        # A normal bound spares most of the exact ones.
        if sums[night] <= 1.2 * np.sqrt(differing[night]):
            continue
        if sign_flip_p(gains[night], seed=home) <= level:
            return float(challengers[night].mean() - ease.mean())
    return None
