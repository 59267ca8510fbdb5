"""Whether a new model takes the place of the champion: a paired test on tracks that neither of them learned from.

The test is one-sided, of whether the challenger is right more often than the champion, over whole groups (`sign_flip`).
A champion is challenged night after night: the level is spent over its challengers, so that models which never get
better are promoted once in a champion's time no more often than the level says. A challenger that lacks classes of the
champion, or has lost one of them, is kept however well it does on the others.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.arrays import Bool, Int64
from pipeline.learning.evaluation.sign_flip import groups_needed, least_p, sign_flip_p
from pipeline.plans.gate import GatePlan
from pipeline.text import printable
from pipeline.wire import Value

LEAST_KNOWN = 3
"""So many held-out tracks of a class, of which the champion has most right, make a class that a challenger may lose."""

_NAMED = 3
"""Classes that a reason names."""


class ClassChange(Value, frozen=True, kw_only=True):
    """What two models have right of one class, on the same held-out tracks."""

    name: str
    tracks: int
    challenger: int
    champion: int
    p: float
    """How often chance alone would make the challenger look at least so bad."""


class Comparison(Value, frozen=True, kw_only=True):
    """Two models on the same tracks, which neither learned from."""

    test: Literal["sign_flip", "mcnemar", "bootstrap"]
    """The latter two are of models by an older chordal."""
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
    changes: tuple[ClassChange, ...] = ()
    """The classes that the champion knows, those that lost most first."""
    known_tracks: int = 0
    """How many of the tracks are of classes that the champion knows, ..."""
    known_challenger: float = 0.0
    """... and the accuracies on those."""
    known_champion: float = 0.0
    fresh: int = 0
    """How many of the tracks the champion was not tested on when it was made, ..."""
    fresh_champion: float = 0.0
    """... and its accuracy on those: nothing was chosen by them."""


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
    lost_classes: tuple[str, ...] = ()
    """Classes of the champion that it does not know."""
    fallen_classes: tuple[str, ...] = ()
    """Classes that it knows and has lost on the held-out tracks."""
    turn: int = 0
    """Which challenger of the champion it was that was held against these tracks: 1, 2, ...; 0 for none."""
    renewal: int = 0
    """How often these tracks had been renewed since the champion was made: at least half of them were new."""
    level: float = 0.0
    """The part of the recipe's level that this one could spend."""


def spent_level(level: float, turn: int, renewal: int = 0) -> float:
    """Return the part of a level that a champion's challenger may spend, by its turn 1, 2, ...; all sum up to it.

    Of each set of held-out tracks, half goes to all turns by 1 / (k (k + 1)), half to the turns 1, 2, 4, 8, ... by 1/2,
    1/4, 1/8, ... (alpha spending; Lan and DeMets, 1983): a champion of many nights can still be beaten. Three quarters
    of the level go to the first set of tracks, half of what is left to every renewed one, whose turns begin anew.
    """
    share = 0.5 / (turn * (turn + 1))
    if turn & (turn - 1) == 0:
        share += 0.5 ** (turn.bit_length() + 1)
    return level * share * (0.75 if not renewal else 0.25 * 0.5**renewal)


def next_turn(earlier: Sequence[Verdict], tracks: int) -> tuple[int, int]:
    """Return turn and renewal of a champion's next challenger, after those whose verdicts are `earlier`, oldest first.

    Held-out tracks are renewed when there are twice as many as at the first turn on the set before: those that the
    champion was held against stay in it, so half of them are new.
    """
    renewal, turn, began = 0, 0, 0
    for count, is_known in [*((each.comparison.tracks, True) for each in earlier if each.comparison), (tracks, False)]:
        if turn and count >= 2 * began:
            renewal, turn = renewal + 1, 0
        if not turn:
            began = count
        turn += is_known
    return turn + 1, renewal


def compare(
    challenger: Bool,
    champion: Bool,
    groups: Sequence[str | None],
    *,
    seed: int,
    classes: Sequence[str] = (),
    known: Sequence[str] = (),
    fresh: Bool | None = None,
) -> Comparison:
    """Return how two models do on the same tracks.

    `challenger` and `champion` (tracks,) mark the tracks that each has right, at least one; `groups` and `classes` are
    the tracks' (none: all of one class), `known` the classes that the champion knows, and `fresh` (tracks,) marks those
    that it was not tested on when it was made.
    """
    unit, count = _units(groups)
    gains = np.bincount(unit, weights=challenger.astype(float) - champion, minlength=count).astype(np.int64)
    is_known = np.isin(np.array(classes), list(known)) if classes else np.ones(len(unit), np.bool_)
    is_fresh = fresh if fresh is not None else np.zeros(len(unit), np.bool_)
    return Comparison(
        test="sign_flip",
        p=sign_flip_p(gains, seed=seed),
        tracks=len(unit),
        groups=count,
        challenger=float(challenger.mean()),
        champion=float(champion.mean()),
        only_challenger=int((challenger & ~champion).sum()),
        only_champion=int((champion & ~challenger).sum()),
        changes=_changes(challenger, champion, unit, classes, known, seed=seed),
        known_tracks=int(is_known.sum()),
        known_challenger=_share(challenger[is_known]),
        known_champion=_share(champion[is_known]),
        fresh=int(is_fresh.sum()),
        fresh_champion=_share(champion[is_fresh]),
    )


def _units(groups: Sequence[str | None]) -> tuple[Int64, int]:
    """Return the number of each track's group, (tracks,), and how many there are."""
    number: dict[str, int] = {}
    unit = [number.setdefault(f"\0{at}" if group is None else group, len(number)) for at, group in enumerate(groups)]
    return np.array(unit, dtype=np.int64), len(number)


def _share(right: Bool) -> float:
    return float(right.mean()) if len(right) else 0.0


def _changes(
    challenger: Bool, champion: Bool, unit: Int64, classes: Sequence[str], known: Sequence[str], *, seed: int
) -> tuple[ClassChange, ...]:
    """Return what both have right of each class that the champion knows, those that lost most first."""
    truths = np.array(classes)
    changes = []
    for name in sorted(set(known) & set(classes)):
        own = truths == name
        losses = np.bincount(unit[own], weights=champion[own].astype(float) - challenger[own]).astype(np.int64)
        right = int(challenger[own].sum()), int(champion[own].sum())
        p = sign_flip_p(losses, seed=seed)
        changes.append(ClassChange(name=name, tracks=int(own.sum()), challenger=right[0], champion=right[1], p=p))
    return tuple(sorted(changes, key=lambda each: (each.challenger - each.champion, each.name)))


def fallen_classes(comparison: Comparison, level: float) -> tuple[str, ...]:
    """Return the classes that a challenger has lost: surely fewer right, or none where the champion knew most.

    Surely: at the level over the number of classes (Bonferroni).
    """
    changes = comparison.changes
    return tuple(
        each.name
        for each in changes
        if each.champion > each.challenger
        and (
            each.p <= level / len(changes)
            or (not each.challenger and each.champion >= LEAST_KNOWN and 2 * each.champion > each.tracks)
        )
    )


def judge(
    version: str,
    champion: str,
    comparison: Comparison | None,
    left_out: dict[str, int],
    plan: GatePlan,
    *,
    lost: Sequence[str] = (),
    turn: int = 1,
    renewal: int = 0,
) -> Verdict:
    """Return whether a challenger takes the champion's place; `comparison` is None without a track to compare on.

    `lost` are classes of the champion that the challenger does not know, `turn` and `renewal` are those of
    `next_turn`.
    """
    level = spent_level(plan.level, turn, renewal)
    verdict = Verdict(
        version=version,
        state="kept",
        reason="",
        champion=champion,
        comparison=comparison,
        left_out=left_out,
        lost_classes=tuple(lost),
        level=level,
    )
    anyway = f"`chordal models promote {version}` makes it the champion all the same"
    if lost and plan.classes == "keep":
        count = "a class" if len(lost) == 1 else f"{len(lost)} of the classes"
        return verdict.replace(reason=f"it does not know {count} of {champion} ({_named(lost)}); {anyway}")
    if comparison is None or (why := _too_few(comparison, level, plan)):
        why = why if comparison is not None else _too_few_tracks(0, plan)
        return verdict.replace(reason=f"too few to tell: {why}{_left_out(left_out)}; {anyway}")
    return _tested(verdict.replace(turn=turn, renewal=renewal), comparison, plan, anyway)


def _too_few(comparison: Comparison, level: float, plan: GatePlan) -> str:
    """Return why there is too little to compare on, with the mend; an empty string when there is enough."""
    if comparison.tracks < plan.tracks:
        return _too_few_tracks(comparison.tracks, plan)
    if least_p(comparison.groups) <= level:
        return ""
    needed = groups_needed(level)
    where = f"the {comparison.tracks} held-out tracks are in {comparison.groups} groups, and {needed} are needed"
    return f"{where}: more groups, or `[gate] level` in the recipe, would do"


def _too_few_tracks(tracks: int, plan: GatePlan) -> str:
    return f"{tracks} held-out tracks that neither learned from; the recipe's gate asks for {plan.tracks}"


def _tested(verdict: Verdict, comparison: Comparison, plan: GatePlan, anyway: str) -> Verdict:
    """Return the verdict by the test, and by what became of the classes that the champion knows."""
    words = f"{describe_comparison(comparison)}{_turn(verdict.turn, plan.level)}"
    if fallen := fallen_classes(comparison, plan.level):
        lost = f"it has lost what {verdict.champion} knows ({_named(_losses(comparison, fallen))})"
        return verdict.replace(fallen_classes=fallen, reason=f"{lost}; {anyway}: {words}")
    level = f"at the level {verdict.level:.2g}"
    if comparison.p > verdict.level:
        return verdict.replace(reason=f"does not beat {verdict.champion} {level}: {words}")
    if comparison.known_challenger < comparison.known_champion:
        return verdict.replace(reason=f"worse on the classes that {verdict.champion} knows: {words}; {anyway}")
    return verdict.replace(state="promoted", reason=f"beats {verdict.champion} {level}: {words}")


def _losses(comparison: Comparison, fallen: Sequence[str]) -> list[str]:
    changes = [each for each in comparison.changes if each.name in fallen]
    return [f"{each.name} {each.challenger} right of {each.tracks}, not {each.champion}" for each in changes]


def _named(names: Sequence[str]) -> str:
    listed = ", ".join(printable(name) for name in names[:_NAMED])
    return listed if len(names) <= _NAMED else f"{listed} ..."


def _turn(turn: int, level: float) -> str:
    return f"; challenger {turn} of this champion, for all of which the level is {level:g}" if turn > 1 else ""


_HOW = {
    "mcnemar": "mid-p of McNemar's test",
    "bootstrap": "p of the bootstrap over groups",
    "sign_flip": "p of the sign-flip test",
}


def describe_comparison(comparison: Comparison) -> str:
    """Return a comparison as a sentence."""
    known = ""
    if 0 < comparison.known_tracks < comparison.tracks:
        known = (
            f", {comparison.known_challenger:.1%} against {comparison.known_champion:.1%} of the "
            f"{comparison.known_tracks} of classes that both know"
        )
    return (
        f"{comparison.challenger:.1%} against {comparison.champion:.1%} of {comparison.tracks} held-out tracks in "
        f"{comparison.groups} groups{known}, {comparison.only_challenger} right only by the new one, "
        f"{comparison.only_champion} only by the old, {_HOW[comparison.test]} {comparison.p:.2g}"
    )


def _left_out(left_out: dict[str, int]) -> str:
    return f" (left out: {', '.join(f'{count} {why}' for why, count in left_out.items())})" if left_out else ""
