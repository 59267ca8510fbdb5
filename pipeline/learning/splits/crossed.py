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


def by_kfold(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return one partition per fold, each with validation tracks carved from those that it does not test."""
    fold = _folds(manifest, units, plan, seed=seed)
    partitions = []
    for number in range(plan.k):
        training, validation = split_validation(
            manifest, units, np.flatnonzero(fold != number), plan.validation, seed=seed + number + 1
        )
        partitions.append(
            Partition(name=str(number + 1), train=training, validation=validation, test=positions(fold == number))
        )
    for partition in partitions:
        _check(manifest, partition, plan)
    return tuple(partitions), validation_notes(manifest, partitions)


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
