"""How often the 95 % interval of an accuracy holds the true one, by number and size of the groups."""

import sys

import numpy as np

from pipeline.learning.evaluation.intervals import share_interval

GROUPS = (2, 3, 4, 6, 10, 20, 50)
REPEATS = 2000


def simulate() -> None:
    """Print coverage and mean width."""
    sys.stdout.write("\ncoverage of the 95 % interval, in % (mean width in points); group accuracies 0.60 +- 0.12\n")
    sys.stdout.write(f"{'tracks of a group':<24}" + "".join(f"{count:>14}" for count in GROUPS) + " groups\n")
    for name, low, high in (("100 each", 100, 100), ("10 each", 10, 10), ("10 to 200", 10, 200)):
        cells = [_coverage(count, low, high) for count in GROUPS]
        sys.stdout.write(f"{name:<24}" + "".join(f"{held:>7.1f} ({width:3.0f})" for held, width in cells) + "\n")
    for share in (0.6, 0.9):
        alone = [_alone(count, share) for count in GROUPS[4:]]
        name = f"1 each, accuracy {share}"
        sys.stdout.write(f"{name:<80}" + "".join(f"{held:>7.1f} ({width:3.0f})" for held, width in alone) + "\n")


def _coverage(groups: int, low: int, high: int) -> tuple[float, float]:
    random = np.random.default_rng([groups, low, high])
    held, widths = 0, []
    for _ in range(REPEATS):
        sizes = random.integers(low, high, groups, endpoint=True)
        right = random.binomial(sizes, np.clip(random.normal(0.6, 0.12, groups), 0, 1)).astype(np.float64)
        interval = share_interval(right, sizes.astype(np.float64))
        assert interval is not None
        held += interval.low <= 0.6 <= interval.high
        widths.append(interval.high - interval.low)
    return 100 * held / REPEATS, 100 * float(np.mean(widths))


def _alone(tracks: int, share: float) -> tuple[float, float]:
    """Return coverage and width where every track is a group of its own."""
    random = np.random.default_rng([tracks, 7])
    intervals = [share_interval(right, np.ones(tracks)) for right in (random.random((REPEATS, tracks)) < share) * 1.0]
    held = [interval.low <= share <= interval.high for interval in intervals if interval]
    return 100 * float(np.mean(held)), 100 * float(np.mean([each.high - each.low for each in intervals if each]))
