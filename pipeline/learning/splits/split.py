"""The split of a plan, and what it must keep together."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.arrays import Int64
from pipeline.errors import UsageError
from pipeline.learning.dataset.flaws import DuplicateSet
from pipeline.learning.dataset.load import RowSource
from pipeline.learning.dataset.manifests import DatasetManifest, Partition, Split
from pipeline.learning.splits.crossed import are_few, by_few, by_kfold, by_nested
from pipeline.learning.splits.duplicates import near_duplicates, same_contents
from pipeline.learning.splits.folds import by_fold
from pipeline.learning.splits.holdout import by_group
from pipeline.learning.splits.rows import by_row
from pipeline.learning.splits.units import unit_table, units_of
from pipeline.plans.split import SplitPlan
from pipeline.text import printable

log = logging.getLogger(__name__)

Partitions = tuple[tuple[Partition, ...], list[str]]
"""The partitions, and notes on them for the report."""

_STRATEGIES: dict[str, Callable[..., Partitions]] = {
    "folds": by_fold,
    "grouped": by_group,
    "kfold": by_kfold,
    "nested": by_nested,
    "rows": by_row,
}


def make_split(manifest: DatasetManifest, plan: SplitPlan, *, seed: int, source: RowSource | None = None) -> Split:
    """Return the split of a dataset by a plan; the same for the same seed.

    Tracks that share a group or a content are never on two sides of a partition, nor, where there is a `source` to read
    their features from, tracks that sound the same; except with the strategy `rows`. Raises
    `UsageError` that names the class, group or track in the way, and what is possible instead.
    """
    strategy = plan.strategy
    if strategy == "auto":
        strategy = "folds" if any(track.fold is not None for track in manifest.tracks) else "auto"
    same = same_contents(manifest)
    near: tuple[DuplicateSet, ...] = ()
    if source is not None and plan.near_duplicates and strategy != "rows":
        near = _affordable(manifest, near_duplicates(manifest, source), plan)
    try:
        result = _partition(strategy, manifest, near, plan, seed=seed)
    except UsageError:
        if not any(duplicate_set.kept for duplicate_set in near):
            raise
        # Near duplicates are an estimate; they must not forbid a split that is possible without them.
        near = tuple(duplicate_set.replace(kept=False) for duplicate_set in near)
        result = _partition(strategy, manifest, near, plan, seed=seed)
    strategy, partitions, notes = result
    if strategy == "rows":
        same = tuple(duplicate_set.replace(kept=False) for duplicate_set in same)
    return Split(
        strategy=strategy,
        seed=seed,
        groups=int(_units(manifest, near).max()) + 1,
        partitions=partitions,
        notes=(*_duplicate_notes(manifest, same, near), *notes),
        duplicates=(*same, *near),
    )


def _partition(
    strategy: str, manifest: DatasetManifest, near: Sequence[DuplicateSet], plan: SplitPlan, *, seed: int
) -> tuple[Any, tuple[Partition, ...], list[str]]:
    """Return the strategy that was taken, its partitions and notes."""
    units = _units(manifest, near)
    if strategy == "auto":
        try:
            if are_few(manifest, units):
                return "kfold", *by_few(manifest, units, plan, seed=seed)
        except UsageError:  # one part of the groups may still be possible
            log.debug("too few groups to cross-validate", exc_info=True)
        strategy = "grouped"
    return strategy, *_STRATEGIES[strategy](manifest, units, plan, seed=seed)


def _units(manifest: DatasetManifest, near: Sequence[DuplicateSet]) -> Int64:
    return units_of(manifest, [duplicate_set.tracks for duplicate_set in near if duplicate_set.kept])


def _affordable(manifest: DatasetManifest, near: tuple[DuplicateSet, ...], plan: SplitPlan) -> tuple[DuplicateSet, ...]:
    """Return the sets, those marked as not kept that would leave a class fewer units than a split needs.

    All tracks of a class of one synthesised note may sound the same: the class is learned nevertheless.
    """
    needed = plan.k if plan.strategy in {"kfold", "nested"} else 3
    units_without, units_with = ((unit_table(manifest, _units(manifest, sets)) > 0).sum(axis=0) for sets in ((), near))
    poor = {
        label
        for label, had, has in zip(manifest.classes, units_without.tolist(), units_with.tolist(), strict=True)
        if has < min(had, needed)
    }
    return tuple(
        duplicate_set.replace(kept=not poor & {manifest.tracks[position].label for position in duplicate_set.tracks})
        for duplicate_set in near
    )


def _duplicate_notes(
    manifest: DatasetManifest, same: Sequence[DuplicateSet], near: Sequence[DuplicateSet]
) -> list[str]:
    """Return the notes on tracks that are one recording."""
    notes = []
    if same:
        treatment = (
            "copies were kept together"
            if all(duplicate_set.kept for duplicate_set in same)
            else "their rows lie on several sides"
        )
        notes.append(f"{_count(same)} tracks are copies of {len(same)} contents; {treatment}")
    torn = [
        duplicate_set
        for duplicate_set in same
        if len({manifest.tracks[position].label for position in duplicate_set.tracks}) > 1
    ]
    if torn:
        example = manifest.tracks[torn[0].tracks[0]]
        notes.append(
            f"{len(torn)} contents carry more than one label, e.g. {printable(example.path)}; "
            "such tracks cannot all be right"
        )
    together = [duplicate_set for duplicate_set in near if duplicate_set.kept]
    if together:
        notes.append(f"{_count(together)} tracks sound like {_recordings(together)} (near duplicates); kept together")
    apart = [duplicate_set for duplicate_set in near if not duplicate_set.kept]
    if apart:
        notes.append(
            f"{_count(apart)} tracks sound like {_recordings(apart)} and were not kept together: a class would have "
            "had too few groups left to split; the score is too good if they are copies of each other"
        )
    return notes


def _recordings(sets: Sequence[DuplicateSet]) -> str:
    return "one recording" if len(sets) == 1 else f"{len(sets)} recordings"


def _count(sets: Sequence[DuplicateSet]) -> int:
    return sum(len(duplicate_set.tracks) for duplicate_set in sets)
