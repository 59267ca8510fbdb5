"""How often the answers above the threshold of "unsure" fall below what was asked, and how many there are."""

import sys

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.evaluation.threshold import threshold

ASKED = 0.9
RUNS = 300


def simulate() -> None:
    """Print the share of runs below what was asked, the mean accuracy reached, and the share answered."""
    sys.stdout.write(f"\nthreshold of answers, {ASKED:.0%} asked: runs below it, accuracy reached, share answered\n")
    sys.stdout.write(f"{'validation':<34}" + "".join(f"{count:>24,}" for count in (32, 100, 1000)) + " tracks\n")
    for groups, spread in ((0, 0.0), (6, 0.8), (20, 0.8)):
        for shape in ((3.0, 1.2), (2.0, 1.0), (8.0, 1.0)):
            population = _drawn(200_000, shape, groups and 4000, spread, np.random.default_rng(0))
            right = population[1] == 0
            cells = [_runs(count, shape, groups, spread, population[0].max(axis=1), right) for count in (32, 100, 1000)]
            name = f"{groups or 'no'} groups, accuracy {right.mean():.2f}"
            sys.stdout.write(f"{name:<34}" + "".join(f"{cell:>24}" for cell in cells) + "\n")


def _runs(
    count: int, shape: tuple[float, float], groups: int, spread: float, confidence: Float64, right: np.ndarray
) -> str:
    random = np.random.default_rng([count, groups])
    reached, answered = [], []
    for _ in range(RUNS):
        chosen = threshold(*_drawn(count, shape, groups, spread, random), accuracy=ASKED, coverage=0.0)
        above = confidence >= chosen
        reached.append(right[above].mean() if above.any() else 1.0)
        answered.append(above.mean())
    below = 100 * np.mean(np.array(reached) < ASKED)
    return f"{below:.1f} %, {np.mean(reached):.3f}, {np.mean(answered):.2f}"


def _drawn(
    count: int, shape: tuple[float, float], groups: int, spread: float, random: np.random.Generator
) -> tuple[Float64, Int64, Int64]:
    """Return probabilities (n, 3) that are right as often as they say, apart from groups that are easier or harder."""
    sure = 0.34 + 0.66 * random.beta(*shape, count)
    units = np.arange(count) % groups if groups else np.arange(count)
    odds = np.log(sure / (1 - sure + 1e-9)) + (random.normal(0, spread, groups)[units] if groups else 0.0)
    right = random.random(count) < 1 / (1 + np.exp(-odds))
    rest = (1 - sure) / 2
    return np.stack([sure, rest, rest], axis=1), np.where(right, 0, 1), units
