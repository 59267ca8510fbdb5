"""Cross-validation without predefined folds: k folds of whole units, and folds within folds."""

import numpy as np

from pipeline.arrays import Int64
from pipeline.errors import UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, Partition
from pipeline.learning.splits.assignment import even_parts
from pipeline.learning.splits.holdout import check_units, split_validation, validation_notes
from pipeline.learning.splits.units import positions, unit_table
from pipeline.plans.split import SplitPlan
from pipeline.text import printable

FEW_UNITS = 12
"""With fewer groups than this, a part of them that is tested says little of the others."""

MOST_FOLDS = 6
"""Of the cross-validation of few groups."""

_LEAST_ROTATING = 4
"""With fewer folds, too little would be left to learn from beside one that validates."""


def by_kfold(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return one partition per fold; the next fold validates, so that each group tests once and validates once.

    With fewer than four folds, or where a class would not be learned then, validation is carved from those that are not
    tested.
    """
    fold = _folds(manifest, units, plan, seed=seed)
    partitions = _rotating(fold, plan.k) if plan.k >= _LEAST_ROTATING else []
    if not partitions or not all(_learns_all(manifest, partition) for partition in partitions):
        partitions = []
        for number in range(plan.k):
            training, validation = split_validation(
                manifest, units, np.flatnonzero(fold != number), plan.validation, seed=seed + number + 1
            )
            test = positions(fold == number)
            partitions.append(Partition(name=str(number + 1), train=training, validation=validation, test=test))
    for partition in partitions:
        _check(manifest, partition, plan)
    return tuple(partitions), validation_notes(manifest, partitions)


def by_few(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return the cross-validation of a library whose groups are too few for a part of them to stand for all.

    Raises `UsageError` where not even that is possible.
    """
    table = unit_table(manifest, units)
    check_units(manifest, table)
    per_class = (table > 0).sum(axis=0)
    k = int(min(MOST_FOLDS, len(table), max(per_class.min(), 2)))
    few = plan.replace(k=k)
    partitions, notes = by_kfold(manifest, units, few, seed=seed)
    one_part = 'split.strategy = "grouped" tests one part'
    note = (
        f"{len(table)} groups are few, so each is tested once, in {k} folds of whole groups; {one_part}"
        if len(table) < FEW_UNITS
        else f"classes of few groups, so each is tested once, in {k} folds of whole groups; {one_part}"
    )
    return partitions, [note, *notes]


def are_few(manifest: DatasetManifest, units: Int64) -> bool:
    """Return whether one part of the units would say too little of the others.

    So it is with fewer than a dozen of them, and where a quarter of the classes have fewer than four.
    """
    table = unit_table(manifest, units)
    per_class = (table > 0).sum(axis=0)
    return len(table) < FEW_UNITS or 4 * int(np.count_nonzero(per_class < 4)) >= len(per_class)


def _rotating(fold: Int64, k: int) -> list[Partition]:
    """Return a partition for each fold, in which the next one validates."""
    return [
        Partition(
            name=str(number + 1),
            train=positions((fold != number) & (fold != (number + 1) % k)),
            validation=positions(fold == (number + 1) % k),
            test=positions(fold == number),
        )
        for number in range(k)
    ]


def _learns_all(manifest: DatasetManifest, partition: Partition) -> bool:
    return {manifest.tracks[position].label for position in partition.train} == set(manifest.classes)


def by_nested(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return a partition for each inner fold of each outer one; those of one outer fold have the same test."""
    fold = _folds(manifest, units, plan, seed=seed)
    partitions = []
    for number in range(plan.k):
        test = positions(fold == number)
        learned = np.flatnonzero(fold != number)
        learned_units, unit = np.unique(units[learned], return_inverse=True)
        table = unit_table(manifest, units)[learned_units]
        inner = even_parts(table, plan.inner, seed=seed + number + 1)[unit]
        partitions += [
            Partition(
                name=f"{number + 1}.{inside + 1}",
                of=str(number + 1),
                train=tuple(map(int, learned[inner != inside])),
                validation=tuple(map(int, learned[inner == inside])),
                test=test,
            )
            for inside in range(plan.inner)
        ]
    for partition in partitions:
        _check(manifest, partition, plan)
    cost = (
        f"nested cross-validation: each trial is fitted {plan.k} x {plan.inner} = {plan.k * plan.inner} times, and "
        f"what is chosen {plan.k} times more for the test and once for delivery"
    )
    return tuple(partitions), [cost, *validation_notes(manifest, partitions)]


def _folds(manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int) -> Int64:
    """Return the fold of each track, shape (tracks,), in whole units, classes in proportion.

    Raises `UsageError` naming the class with fewer units than folds, and how many folds are possible.
    """
    table = unit_table(manifest, units)
    check_units(manifest, table)
    per_class = (table > 0).sum(axis=0)
    least = int(per_class.argmin())
    if per_class[least] < plan.k:
        groups = int(per_class[least])
        raise UsageError(
            f"class {printable(manifest.classes[least])}: its {groups} groups (a track without one counts as one) are "
            f"too few for {plan.k} folds; split.k = {groups} is possible, or add tracks of other groups"
        )
    return even_parts(table, plan.k, seed=seed)[units]


def _check(manifest: DatasetManifest, partition: Partition, plan: SplitPlan) -> None:
    """Raise `UsageError` for a partition with a class that is not learned, or without validation or test."""
    nested = bool(partition.of)
    where = f"fold {partition.name}"
    learned = {manifest.tracks[position].label for position in partition.train}
    mend = (
        'add tracks of other groups, or take split.strategy = "kfold", which needs fewer'
        if nested
        else 'add tracks of other groups, choose other --groups, or take split.strategy = "grouped"'
    )
    for label in manifest.classes:
        if label not in learned:
            raise UsageError(
                f"class {printable(label)} has no group left to learn from in {where} of {plan.k}"
                f"{f' x {plan.inner}' if nested else ''}; {mend}"
            )
    for positions_, verb in ((partition.validation, "validate"), (partition.test, "test")):
        if not positions_:
            raise UsageError(f"no group is left to {verb} with in {where}; {mend}")
