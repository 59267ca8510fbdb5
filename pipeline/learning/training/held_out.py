"""Keeping aside what an earlier model was tested on, so that a later one can be held against it on the same tracks.

A new split of a grown library would put most of those tracks among the ones that are learned from. Here they stay in
the test, what the earlier model learned from stays out of it, and what is new lies where the new split put it.
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
    """What a model learned from: a track of one of these contents or groups is nothing new to it."""

    contents: AbstractSet[str] = frozenset()
    groups: AbstractSet[str] = frozenset()
    tested: AbstractSet[str] = field(default_factory=frozenset)
    """Contents that it was tested on and did not learn from."""

    @classmethod
    def of(cls, manifest: DatasetManifest, split: Split) -> Self:
        """Return what the model of a study learned from.

        With several partitions, the model that is delivered was fitted on all tracks.
        """
        parts = split.partitions
        # Of rows dealt out at random, every track has some among those that were learned from.
        held_out = len(parts) == 1 and split.strategy != "rows"
        tested = frozenset(parts[0].test) if held_out else frozenset[int]()
        learned = [track for at, track in enumerate(manifest.tracks) if at not in tested]
        contents, groups = _told(learned)
        return cls(
            contents=contents,
            groups=groups,
            tested=frozenset(manifest.tracks[at].content_hash for at in tested) - contents,
        )

    def covers(self, track: DatasetTrack) -> bool:
        """Return whether the model learned from a track, a copy of it, or another of its group."""
        return track.content_hash in self.contents or (track.group is not None and track.group in self.groups)


def _told(tracks: Iterable[DatasetTrack]) -> tuple[frozenset[str], frozenset[str]]:
    held = list(tracks)
    return (
        frozenset(track.content_hash for track in held),
        frozenset(track.group for track in held if track.group is not None),
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
    held, learned = _kinds(manifest, units, earlier)
    before = _sides(split.partitions[0], len(manifest.tracks))
    after = before.copy()
    after[held] = _TEST
    _deal(manifest, units, before, after, learned & (before == _TEST))
    lacking = _lacking(manifest, after)
    if lacking:
        note = f"the tracks that model {name} was tested on could not be kept aside: {lacking}"
        return split.replace(notes=(*split.notes, note))
    if (after == before).all():
        return split
    note = (
        f"{int(held.sum())} tracks that model {name} was tested on stayed in the test, and nothing it learned from is "
        "there, so that both can be held against each other"
    )
    moved = split.partitions[0].replace(
        train=_positions(after == _TRAIN), validation=_positions(after == _VALIDATION), test=_positions(after == _TEST)
    )
    return split.replace(partitions=(moved,), notes=(*split.notes, note))


def _kinds(manifest: DatasetManifest, units: Int64, earlier: TrainingExposure) -> tuple[Bool, Bool]:
    """Return which tracks are of units that were tested only, and of units with anything that was learned from."""
    was_learned = np.array([earlier.covers(track) for track in manifest.tracks], dtype=np.bool_)
    was_tested = np.array([track.content_hash in earlier.tested for track in manifest.tracks], dtype=np.bool_)
    learned = np.isin(units, units[was_learned])
    return np.isin(units, units[was_tested]) & ~learned, learned


def _deal(manifest: DatasetManifest, units: Int64, before: Int64, after: Int64, leaving: Bool) -> None:
    """Move the units that leave the test to where the validation lacks tracks of their classes, else to training."""
    labels = label_indices(manifest)
    classes = len(manifest.classes)
    wanted = np.bincount(labels[before == _VALIDATION], minlength=classes)
    held = np.bincount(labels[(after == _VALIDATION) & ~leaving], minlength=classes)
    going, numbers = np.unique(units[leaving], return_inverse=True)
    table = np.zeros((len(going), classes), dtype=np.int64)
    np.add.at(table, (numbers, labels[leaving]), 1)
    goes = np.zeros(len(going), dtype=np.bool_)
    for number, counts in enumerate(table):
        goes[number] = (counts * (held < wanted)).sum() * 2 > counts.sum()
        held += counts * goes[number]
    after[leaving] = np.where(goes[numbers], _VALIDATION, _TRAIN)


def _lacking(manifest: DatasetManifest, sides: Int64) -> str:
    """Return what a parting lacks, or nothing."""
    labels = label_indices(manifest)
    for side, verb in ((_TRAIN, "learned"), (_TEST, "tested")):
        found = np.bincount(labels[sides == side], minlength=len(manifest.classes))
        if not found.all():
            return f"class {manifest.classes[int(found.argmin())]} would not be {verb}"
    return "" if (sides == _VALIDATION).any() else "nothing would be left to validate with"


def _sides(partition: Partition, count: int) -> Int64:
    sides: Int64 = np.full(count, _NOWHERE, dtype=np.int64)
    for side, positions in ((_TRAIN, partition.train), (_VALIDATION, partition.validation), (_TEST, partition.test)):
        sides[list(positions)] = side
    return sides


def _positions(chosen: Bool) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
