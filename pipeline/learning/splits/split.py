"""Which parting a plan asks for, and what it must keep together."""

from collections.abc import Callable, Sequence

from pipeline.arrays import Int64
from pipeline.errors import UsageError
from pipeline.learning.dataset.flaws import DuplicateSet
from pipeline.learning.dataset.load import RowSource
from pipeline.learning.dataset.manifests import DatasetManifest, Partition, Split
from pipeline.learning.splits.crossed import by_kfold, by_nested
from pipeline.learning.splits.duplicates import near_duplicates, same_contents
from pipeline.learning.splits.folds import by_fold
from pipeline.learning.splits.holdout import by_group
from pipeline.learning.splits.rows import all_on_every_side
from pipeline.learning.splits.units import unit_table, units_of
from pipeline.plans.recipe import SplitPlan
from pipeline.text import printable

Parted = tuple[tuple[Partition, ...], list[str]]
"""The partitions, and what a reader should know of them."""

_PARTINGS: dict[str, Callable[..., Parted]] = {
    "folds": by_fold,
    "grouped": by_group,
    "kfold": by_kfold,
    "nested": by_nested,
    "rows": all_on_every_side,
}


def make_split(manifest: DatasetManifest, plan: SplitPlan, *, seed: int, source: RowSource | None = None) -> Split:
    """Return the parting of a dataset that a plan asks for; the same for the same seed.

    Tracks that share a group or a content never lie on two sides of a partition, nor, where there is a `source` to read
    their features from, tracks that sound the same; unless the plan asks by name for a parting of rows. Raises
    `UsageError` that names the class, group or track in the way, and what is possible instead.
    """
    strategy = plan.strategy
    if strategy == "auto":
        strategy = "folds" if any(track.fold is not None for track in manifest.tracks) else "grouped"
    same = same_contents(manifest)
    near: tuple[DuplicateSet, ...] = ()
    if source is not None and plan.near_duplicates and strategy != "rows":
        near = _affordable(manifest, near_duplicates(manifest, source), plan)
    try:
        parted = _part(strategy, manifest, near, plan, seed=seed)
    except UsageError:
        if not any(found.kept for found in near):
            raise
        # What sounds the same is a guess; it must not forbid a split that is possible without it.
        near = tuple(found.replace(kept=False) for found in near)
        parted = _part(strategy, manifest, near, plan, seed=seed)
    partitions, notes = parted
    if strategy == "rows":
        same = tuple(found.replace(kept=False) for found in same)
    return Split(
        strategy=strategy,
        seed=seed,
        groups=int(_units(manifest, near).max()) + 1,
        partitions=partitions,
        notes=(*_duplicate_notes(manifest, same, near), *notes),
        duplicates=(*same, *near),
    )


def _part(
    strategy: str, manifest: DatasetManifest, near: Sequence[DuplicateSet], plan: SplitPlan, *, seed: int
) -> Parted:
    return _PARTINGS[strategy](manifest, _units(manifest, near), plan, seed=seed)


def _units(manifest: DatasetManifest, near: Sequence[DuplicateSet]) -> Int64:
    return units_of(manifest, [found.tracks for found in near if found.kept])


def _affordable(manifest: DatasetManifest, near: tuple[DuplicateSet, ...], plan: SplitPlan) -> tuple[DuplicateSet, ...]:
    """Return the sets, those marked as not kept that would leave a class fewer units than a split needs.

    A class of one synthesised note may sound the same from end to end: it is learned from all the same.
    """
    needed = plan.k if plan.strategy in {"kfold", "nested"} else 3
    before, after = ((unit_table(manifest, _units(manifest, sets)) > 0).sum(axis=0) for sets in ((), near))
    poor = {
        label
        for label, had, has in zip(manifest.classes, before.tolist(), after.tolist(), strict=True)
        if has < min(had, needed)
    }
    return tuple(
        found.replace(kept=not poor & {manifest.tracks[position].label for position in found.tracks}) for found in near
    )


def _duplicate_notes(
    manifest: DatasetManifest, same: Sequence[DuplicateSet], near: Sequence[DuplicateSet]
) -> list[str]:
    """Return what a reader should know of tracks that are one recording."""
    notes = []
    if same:
        kept = "copies were kept together" if all(found.kept for found in same) else "their rows lie on several sides"
        notes.append(f"{_count(same)} tracks are copies of {len(same)} contents; {kept}")
    torn = [found for found in same if len({manifest.tracks[position].label for position in found.tracks}) > 1]
    if torn:
        example = manifest.tracks[torn[0].tracks[0]]
        notes.append(
            f"{len(torn)} contents carry more than one label, e.g. {printable(example.path)}; "
            "such tracks cannot all be right"
        )
    together = [found for found in near if found.kept]
    if together:
        notes.append(f"{_count(together)} tracks sound like {_recordings(together)} (near duplicates); kept together")
    apart = [found for found in near if not found.kept]
    if apart:
        notes.append(
            f"{_count(apart)} tracks sound like {_recordings(apart)} and were not kept together: a class would have "
            "had too few groups left to split; the score is too good if they are copies of each other"
        )
    return notes


def _recordings(sets: Sequence[DuplicateSet]) -> str:
    return "one recording" if len(sets) == 1 else f"{len(sets)} recordings"


def _count(sets: Sequence[DuplicateSet]) -> int:
    return sum(len(found.tracks) for found in sets)
