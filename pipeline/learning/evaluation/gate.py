"""Whether a new model takes the place of the champion: a paired test on tracks that neither of them learned from.

Two tests, both one-sided, of whether the challenger is right more often than the champion:

- `mcnemar`: McNemar's test with the mid-p value (Lancaster, 1961; Fagerland et al., 2013), on tracks. Tracks that both
  models have right, or both have wrong, do not count; of the others half would go to either if the models were alike.
- `bootstrap`: 10,000 times as many groups as there are are drawn with replacement; p is the share of the draws in which
  the challenger is not right more often. Tracks of one artist or album are not independent; groups are.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.arrays import Bool, Int64
from pipeline.plans.gate import GatePlan, Test
from pipeline.wire import Value

DRAWS = 10_000
LEAST_GROUPS = 10
"""With fewer groups than this there is no bootstrap."""

_DRAWS_AT_ONCE = 500


class Comparison(Value, frozen=True, kw_only=True):
    """Two models on the same tracks, which neither learned from."""

    test: Test
    p: float
    """How often chance alone would make the challenger look at least so good."""
    tracks: int
    groups: int
    """How many groups the tracks are in; a track without one is a group of its own."""
    challenger: float
    """Accuracy on these tracks."""
    champion: float
    only_challenger: int
    """Tracks that only the challenger has right."""
    only_champion: int


class Verdict(Value, frozen=True, kw_only=True):
    """Whether a model became the champion, and why."""

    version: str
    state: Literal["promoted", "kept"]
    """`kept`: registered, and not the champion."""
    reason: str
    """One line."""
    champion: str | None = None
    """The champion it was compared with; None when there was none."""
    comparison: Comparison | None = None
    left_out: dict[str, int] = {}
    """Test tracks of the challenger that could not be compared on, by reason."""
    decided: str = ""
    """ISO 8601, UTC."""


def compare(
    challenger: Bool, champion: Bool, groups: Sequence[str | None], *, test: Literal["auto"] | Test, seed: int
) -> Comparison:
    """Return how two models do on the same tracks.

    `challenger` and `champion` (tracks,) mark the tracks that each has right, at least one; `groups` are the tracks'.
    """
    number: dict[str, int] = {}
    unit: Int64 = np.array(
        [number.setdefault(f"\0{at}" if group is None else group, len(number)) for at, group in enumerate(groups)],
        dtype=np.int64,
    )
    chosen: Test = test if test != "auto" else ("bootstrap" if len(number) < len(unit) else "mcnemar")
    ahead, behind = int((challenger & ~champion).sum()), int((champion & ~challenger).sum())
    if chosen == "mcnemar":
        p = mcnemar(ahead, behind)
    else:
        gains = np.bincount(unit, weights=challenger.astype(float) - champion, minlength=len(number))
        p = bootstrap(gains.astype(np.int64), seed=seed)
    return Comparison(
        test=chosen,
        p=p,
        tracks=len(unit),
        groups=len(number),
        challenger=float(challenger.mean()),
        champion=float(champion.mean()),
        only_challenger=ahead,
        only_champion=behind,
    )


def mcnemar(ahead: int, behind: int) -> float:
    """Return the one-sided mid-p of McNemar's test: `ahead` tracks against `behind` that only one model has right."""
    from scipy.stats import binom

    both = ahead + behind
    if not both:
        return 1.0
    return float(binom.sf(ahead, both, 0.5) + binom.pmf(ahead, both, 0.5) / 2)


def bootstrap(gains: Int64, *, seed: int) -> float:
    """Return the share of draws of groups whose sum of gains is not above 0; the draws count themselves in.

    `gains` (groups,) are tracks that the challenger has more right than the champion.
    """
    random = np.random.default_rng(seed % 2**64)
    count = len(gains)
    not_above = 0
    for first in range(0, DRAWS, _DRAWS_AT_ONCE):
        draws = min(_DRAWS_AT_ONCE, DRAWS - first)
        counts = random.multinomial(count, np.full(count, 1 / count), size=draws)
        not_above += int((counts @ gains <= 0).sum())
    return (not_above + 1) / (DRAWS + 1)


def judge(
    version: str, champion: str, comparison: Comparison | None, left_out: dict[str, int], plan: GatePlan
) -> Verdict:
    """Return whether a challenger takes the champion's place; `comparison` is None without a track to compare on."""
    tracks = 0 if comparison is None else comparison.tracks
    verdict = Verdict(
        version=version, state="kept", reason="", champion=champion, comparison=comparison, left_out=left_out
    )
    if comparison is None or tracks < plan.tracks:
        why = f"{tracks} held-out tracks that neither learned from; the recipe's gate asks for {plan.tracks}"
        return verdict.replace(reason=f"too few to tell: {why}{_left_out(left_out)}")
    if comparison.test == "bootstrap" and comparison.groups < LEAST_GROUPS:
        why = f"the {tracks} held-out tracks are in {comparison.groups} groups; {LEAST_GROUPS} are needed"
        return verdict.replace(reason=f"too few to tell: {why}{_left_out(left_out)}")
    words = describe_comparison(comparison)
    if comparison.p <= plan.level:
        return verdict.replace(state="promoted", reason=f"beats {champion} at the level {plan.level:g}: {words}")
    return verdict.replace(reason=f"does not beat {champion} at the level {plan.level:g}: {words}")


def describe_comparison(comparison: Comparison) -> str:
    """Return a comparison as a sentence."""
    how = (
        f"mid-p of McNemar's test {comparison.p:.2g}"
        if comparison.test == "mcnemar"
        else f"p of the bootstrap over {comparison.groups} groups {comparison.p:.2g}"
    )
    return (
        f"{comparison.challenger:.1%} against {comparison.champion:.1%} of {comparison.tracks} held-out tracks, "
        f"{comparison.only_challenger} right only by the new one, {comparison.only_champion} only by the old, {how}"
    )


def _left_out(left_out: dict[str, int]) -> str:
    return f" (left out: {', '.join(f'{count} {why}' for why, count in left_out.items())})" if left_out else ""
