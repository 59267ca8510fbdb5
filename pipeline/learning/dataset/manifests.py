"""The manifest of a dataset, and its splits by positions of tracks."""

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from pipeline.learning.dataset.flaws import DuplicateSet, Flaw
from pipeline.plans.augmentation import AugmentPlan, Variation
from pipeline.wire import Value


class AugmentedCopy(Value, frozen=True, kw_only=True):
    """An altered copy of a track, whose features are stored under a content hash of its own."""

    content_hash: str
    variation: Variation


class DatasetTrack(Value, frozen=True, kw_only=True):
    """One labelled track whose features are stored."""

    track_id: str
    content_hash: str
    path: str
    label: str
    group: str | None = None
    fold: str | None = None
    copies: tuple[AugmentedCopy, ...] = ()
    """Altered copies: they are on the side of the track, and are read only for training."""
    row: int | None = None
    """The row of the file that this entry is, where rows are split and not tracks."""
    album: str = ""
    """The file that holds it with other tracks, by a cue sheet; empty for a file of its own."""


class ExcludedTrack(Value, frozen=True, kw_only=True):
    """A scanned track that cannot be learned from, and why."""

    path: str
    reason: str
    label: str | None = None
    """None for one without a label, and in manifests of an older chordal."""


class DatasetManifest(Value, frozen=True, kw_only=True):
    """The exact data of a study; equal digests mean equal data."""

    run_id: str
    families: dict[str, str]
    """Feature family name to the key (with fingerprint) of its rows in the store."""
    classes: tuple[str, ...]
    """Sorted label names; a class index is a position here."""
    tracks: tuple[DatasetTrack, ...]
    excluded: tuple[ExcludedTrack, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    """Rows of `tracks` that are left out for NaN or infinite values."""
    excluded_flaws: tuple[Flaw, ...] = ()
    """Such rows of tracks that are `excluded` for them: a family has no other row of these."""
    constant: dict[str, tuple[str, ...]] = {}
    """Columns with one value in all rows, by feature family: they carry no information, and are scaled to 0."""

    def copies(self, augment: AugmentPlan, learned: Iterable[int] | None = None) -> tuple[int, int]:
        """Return how many altered copies some tracks (positions) or all have, and how many a plan makes of them."""
        tracks = self.tracks if learned is None else [self.tracks[position] for position in learned]
        return sum(len(track.copies) for track in tracks), augment.copies * len(tracks)

    @property
    def digest(self) -> str:
        """BLAKE2b-128 over families, classes and every track's content, label, group, fold and copies."""
        contents = [
            [t.content_hash, t.label, t.group, t.fold, *(copy.content_hash for copy in t.copies)] for t in self.tracks
        ]
        blob = msgspec.json.encode([self.families, self.classes, sorted(contents, key=str)], order="deterministic")
        return hashlib.blake2b(blob, digest_size=16).hexdigest()


class Partition(Value, frozen=True, kw_only=True):
    """One division of the tracks: positions in `DatasetManifest.tracks`, disjoint."""

    name: str
    """`holdout`, or the name of the fold that is tested; `1.2` for the second inner fold within the first."""
    of: str = ""
    """The outer fold that is tested, where several partitions are inner folds of it."""
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


class Round(Value, frozen=True, kw_only=True):
    """One evaluation of test tracks, with the partition, or the inner partitions, that validate for it."""

    name: str
    partitions: tuple[Partition, ...]

    @property
    def test(self) -> tuple[int, ...]:
        """The tracks that are tested."""
        return self.partitions[0].test

    @property
    def names(self) -> frozenset[str]:
        """The names of its partitions."""
        return frozenset(part.name for part in self.partitions)

    @property
    def learned(self) -> tuple[int, ...]:
        """The tracks that train or validate, ascending."""
        return tuple(sorted({track for part in self.partitions for track in (*part.train, *part.validation)}))


class Split(Value, frozen=True, kw_only=True):
    """The division of the tracks: one partition, one per fold, or one per inner fold of each fold."""

    strategy: Literal["folds", "grouped", "kfold", "nested", "rows"]
    seed: int
    groups: int
    """How many units had to stay whole."""
    partitions: tuple[Partition, ...]
    notes: tuple[str, ...] = ()
    """Notes for the report, e.g. on duplicates that were kept together."""
    duplicates: tuple[DuplicateSet, ...] = ()
    """Tracks that are one recording."""

    def learned(self, *, refit: bool) -> tuple[int, ...]:
        """Return the tracks that some tested model learns from, ascending; `refit` as in the recipe's search."""
        return tuple(
            sorted({track for each in self.rounds for track in (each.learned if refit else each.partitions[0].train)})
        )

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The partitions by what they test, in order: one each, but for nested cross-validation."""
        by_test: dict[str, list[Partition]] = {}
        for part in self.partitions:
            by_test.setdefault(part.of or part.name, []).append(part)
        return tuple(Round(name=name, partitions=tuple(parts)) for name, parts in by_test.items())
