"""The held-out tracks of an earlier model stay held out, so that a later one is compared with it on the same tracks.

A new split of a grown library would put most of those tracks into training. Here they stay in the test, what the
earlier model learned from stays out of it, and new tracks are where the new split put them.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from pipeline.arrays import Bool, Int64
from pipeline.learning.dataset.load import label_indices
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Partition, Split
from pipeline.learning.splits import units_of_split

_TRAIN, _VALIDATION, _TEST, _NOWHERE = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExposure:
    """The contents and groups that a model learned from: their tracks are not held out."""

    contents: AbstractSet[str] = frozenset()
    groups: AbstractSet[str] = frozenset()
    tested: AbstractSet[str] = field(default_factory=frozenset)
    """Contents that it was tested on and did not learn from."""

    @classmethod
    def of(cls, manifest: DatasetManifest, split: Split) -> Self:
        """Return the exposure of the model of a study.

        With several partitions, the model that is delivered was fitted on all tracks.
        """
        parts = split.partitions
        # Of rows split at random, every track has some in training.
        held_out = len(parts) == 1 and split.strategy != "rows"
        tested = frozenset(parts[0].test) if held_out else frozenset[int]()
        learned = [track for at, track in enumerate(manifest.tracks) if at not in tested]
        contents, groups = _contents_and_groups(learned)
        return cls(
            contents=contents,
            groups=groups,
            tested=frozenset(manifest.tracks[at].content_hash for at in tested) - contents,
        )

    def covers(self, track: DatasetTrack) -> bool:
        """Return whether the model learned from a track, a copy of it, or another of its group."""
        return track.content_hash in self.contents or (track.group is not None and track.group in self.groups)


def _contents_and_groups(tracks: Iterable[DatasetTrack]) -> tuple[frozenset[str], frozenset[str]]:
    listed = list(tracks)
    return (
        frozenset(track.content_hash for track in listed),
        frozenset(track.group for track in listed if track.group is not None),
    )


def keep_held_out(manifest: DatasetManifest, split: Split, earlier: TrainingExposure, *, name: str) -> Split:
    """Return a split whose test has what an earlier model was tested on and nothing that it learned from.

    Whole units are moved, so that what must stay together does; validation keeps about as many tracks of each class
    as it had. A split of several partitions is returned as it is, as is one that would be left without a class to learn
    or test, with a note. `name` is the earlier model, for the notes.
    """
    if len(split.partitions) != 1:
        return split
    units = units_of_split(manifest, split)
    kept, learned = _kinds(manifest, units, earlier)
    old_sides = _sides(split.partitions[0], len(manifest.tracks))
    new_sides = old_sides.copy()
    new_sides[kept] = _TEST
    _deal(manifest, units, old_sides, new_sides, learned & (old_sides == _TEST))
    lacking = _lacking(manifest, new_sides)
    if lacking:
        note = f"the tracks that model {name} was tested on could not be kept aside: {lacking}"
        return split.replace(notes=(*split.notes, note))
    if (new_sides == old_sides).all():
        return split
    note = (
        f"{int(kept.sum())} tracks that model {name} was tested on stayed in the test, and nothing it learned from is "
        "there, so that both can be held against each other"
    )
    moved = split.partitions[0].replace(
        train=_positions(new_sides == _TRAIN),
        validation=_positions(new_sides == _VALIDATION),
        test=_positions(new_sides == _TEST),
    )
    return split.replace(partitions=(moved,), notes=(*split.notes, note))


def _kinds(manifest: DatasetManifest, units: Int64, earlier: TrainingExposure) -> tuple[Bool, Bool]:
    """Return which tracks are of units that were tested only, and of units with anything that was learned from."""
    was_learned = np.array([earlier.covers(track) for track in manifest.tracks], dtype=np.bool_)
    was_tested = np.array([track.content_hash in earlier.tested for track in manifest.tracks], dtype=np.bool_)
    learned = np.isin(units, units[was_learned])
    return np.isin(units, units[was_tested]) & ~learned, learned


def _deal(manifest: DatasetManifest, units: Int64, old_sides: Int64, new_sides: Int64, is_moved: Bool) -> None:
    """Move the units that leave the test to where the validation lacks tracks of their classes, else to training."""
    labels = label_indices(manifest)
    classes = len(manifest.classes)
    target = np.bincount(labels[old_sides == _VALIDATION], minlength=classes)
    actual = np.bincount(labels[(new_sides == _VALIDATION) & ~is_moved], minlength=classes)
    moved_units, numbers = np.unique(units[is_moved], return_inverse=True)
    table = np.zeros((len(moved_units), classes), dtype=np.int64)
    np.add.at(table, (numbers, labels[is_moved]), 1)
    to_validation = np.zeros(len(moved_units), dtype=np.bool_)
    for number, counts in enumerate(table):
        to_validation[number] = (counts * (actual < target)).sum() * 2 > counts.sum()
        actual += counts * to_validation[number]
    new_sides[is_moved] = np.where(to_validation[numbers], _VALIDATION, _TRAIN)


def _lacking(manifest: DatasetManifest, sides: Int64) -> str:
    """Return why a division of the tracks is impossible; empty for a possible one."""
    labels = label_indices(manifest)
    for side, verb in ((_TRAIN, "learned"), (_TEST, "tested")):
        counts = np.bincount(labels[sides == side], minlength=len(manifest.classes))
        if not counts.all():
            return f"class {manifest.classes[int(counts.argmin())]} would not be {verb}"
    return "" if (sides == _VALIDATION).any() else "nothing would be left to validate with"


def _sides(partition: Partition, count: int) -> Int64:
    sides: Int64 = np.full(count, _NOWHERE, dtype=np.int64)
    for side, positions in ((_TRAIN, partition.train), (_VALIDATION, partition.validation), (_TEST, partition.test)):
        sides[list(positions)] = side
    return sides


def _positions(chosen: Bool) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
