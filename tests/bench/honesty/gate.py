"""How often the gate promotes models that are no better, and how often it finds those that are."""

import sys

import numpy as np

from pipeline.arrays import Bool
from pipeline.learning.evaluation.gate import spent_level
from pipeline.learning.evaluation.sign_flip import sign_flip_p

REPEATS = 1000
LEVEL = 0.05


def simulate() -> None:
    """Print false promotions of a single challenger by groups, and the power by gain and turn."""
    sys.stdout.write("\nfalse promotions of a single equal challenger at the whole level of 5 %\n")
    for groups, of_group in ((6, 20), (10, 20), (20, 10), (60, 4), (100, 4), (300, 1)):
        random = np.random.default_rng([groups, of_group])
        promoted = sum(sign_flip_p(_gains(groups, of_group, 0.0, random), seed=run) <= LEVEL for run in range(REPEATS))
        sys.stdout.write(f"{groups:>4} groups of {of_group:>2}: {100 * promoted / REPEATS:.1f} %\n")
    sys.stdout.write("\npromotions of one that is better, by its turn: 1, 2, 4, 8, 16, 31\n")
    for tracks in (100, 300):
        for gain in (0.05, 0.10):
            random = np.random.default_rng([tracks, int(100 * gain)])
            found = np.array([sign_flip_p(_gains(tracks, 1, gain, random), seed=run) for run in range(REPEATS)])
            shares = [100 * np.mean(found <= spent_level(LEVEL, turn)) for turn in (1, 2, 4, 8, 16, 31)]
            sys.stdout.write(
                f"{tracks} tracks, +{100 * gain:.0f} points: " + ", ".join(f"{share:.0f} %" for share in shares) + "\n"
            )


def _gains(groups: int, of_group: int, gain: float, random: np.random.Generator) -> np.ndarray:
    """Return the gain of each group by a challenger that is so much better, of a champion that has some 75 % right."""
    ease = random.beta(3, 1, groups)[:, None] * np.ones(of_group)
    champion = _right(ease, random)
    challenger = _right(np.clip(ease + gain / 0.75 * ease, 0, 1), random)
    return (challenger.astype(np.int64) - champion).sum(axis=1)


def _right(chance: np.ndarray, random: np.random.Generator) -> Bool:
    right: Bool = random.random(chance.shape) < chance
    return right
