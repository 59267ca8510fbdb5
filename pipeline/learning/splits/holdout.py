"""One partition of whole units: training, validation and test by their shares, stratified by class."""

from collections import Counter

import numpy as np

from pipeline.arrays import Int64
from pipeline.errors import UsageError
from pipeline.learning.dataset.load import label_indices
from pipeline.learning.dataset.manifests import DatasetManifest, Partition
from pipeline.learning.splits.assignment import assign_units, missing_classes, size_error
from pipeline.learning.splits.units import positions, unit_table
from pipeline.plans.split import SplitPlan
from pipeline.text import printable

# In case of ties units go to training first, then to the test.
_TRAIN, _TEST, _VALIDATION = range(3)


def by_group(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return one partition of whole units, each class divided by the plan's shares as well as its units allow."""
    table = unit_table(manifest, units)
    check_units(manifest, table)
    shares = np.array([(1 - plan.test) * (1 - plan.validation), plan.test, (1 - plan.test) * plan.validation])

    def fault(parts: Int64) -> tuple[tuple[int, ...], float]:
        lacking = tuple(len(missing_classes(table, parts, part)) for part in (_TRAIN, _TEST, _VALIDATION))
        return lacking, size_error(table, parts, shares)

    parts = assign_units(table, shares, fault, seed=seed)
    _check_parts(manifest, table, parts)
    side = parts[units]
    partition = Partition(
        name="holdout",
        train=positions(side == _TRAIN),
        validation=positions(side == _VALIDATION),
        test=positions(side == _TEST),
    )
    return (partition,), validation_notes(manifest, [partition])


def split_validation(
    manifest: DatasetManifest, units: Int64, learned: Int64, share: float, *, seed: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (training, validation) positions of the tracks at `learned`, in whole units.

    Training has every class of these tracks, validation as many of them as their units allow: it may be empty.
    """
    learned_units, unit = np.unique(units[learned], return_inverse=True)
    table = np.zeros((len(learned_units), len(manifest.classes)), dtype=np.int64)
    np.add.at(table, (unit, label_indices(manifest)[learned]), 1)
    present = table.sum(axis=0) > 0
    shares = np.array([1 - share, share])

    def fault(parts: Int64) -> tuple[tuple[int, ...], float]:
        lacking = tuple(int(np.count_nonzero(present[missing_classes(table, parts, part)])) for part in (0, 1))
        return lacking, size_error(table, parts, shares)

    side = assign_units(table, shares, fault, seed=seed)[unit]
    return tuple(map(int, learned[side == 0])), tuple(map(int, learned[side == 1]))


def validation_notes(manifest: DatasetManifest, partitions: list[Partition]) -> list[str]:
    """Return the note that names the classes that some partition cannot validate, if any."""
    without: dict[str, int] = {}
    for partition in partitions:
        validated = {manifest.tracks[position].label for position in partition.validation}
        for label in manifest.classes:
            if label not in validated:
                without[label] = without.get(label, 0) + 1
    if not without:
        return []
    total = len(partitions)
    named = ", ".join(
        printable(label) + (f" ({times} of {total} partitions)" if total > 1 else "")
        for label, times in without.items()
    )
    return [f"too few groups to validate every class; not in the validation: {named}"]


def check_units(manifest: DatasetManifest, table: Int64) -> None:
    """Refuse a class whose tracks all belong together: it could be learned or tested, not both."""
    per_class = (table > 0).sum(axis=0)
    sizes = table.sum(axis=0)
    for number, label in enumerate(manifest.classes):
        if per_class[number] >= 2:
            continue
        if sizes[number] == 1:
            alone = next(track.path for track in manifest.tracks if track.label == label)
            raise UsageError(
                f"class {printable(label)} has one track only ({printable(alone)}), which cannot be both learned from "
                "and tested; add tracks of the class, or leave that one out of the library (split.strategy = "
                '"rows" parts the rows within tracks, and says nothing of unseen ones)'
            )
        raise UsageError(
            f"class {printable(label)}: its {sizes[number]} tracks are one group (or copies of each other), which "
            "must stay on one side, so the class cannot be both learned and tested; add tracks of another group, "
            "or choose other --groups"
        )


def _check_parts(manifest: DatasetManifest, table: Int64, parts: Int64) -> None:
    """Raise `UsageError` for an assignment without some class in training, or without anything to validate or test."""
    counts = Counter(parts.tolist())
    if counts[_VALIDATION] == 0 or counts[_TEST] == 0:
        raise UsageError(
            f"no group is left to {'test' if counts[_TEST] == 0 else 'validate'} with: at least one class needs three "
            f"groups (to learn, validate and test) and the {len(parts)} there are do not do; add tracks of other "
            "groups, or choose other --groups"
        )
    for part, verb in ((_TRAIN, "learned"), (_TEST, "tested")):
        for number in missing_classes(table, parts, part):
            groups = int((table[:, number] > 0).sum())
            raise UsageError(
                f"class {printable(manifest.classes[number])}: its {groups} groups are shared with other classes so "
                f"that it cannot be {verb} with whole groups; choose other --groups, or add tracks of other groups"
            )
