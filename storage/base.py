"""What a feature store promises, whoever keeps the bytes.

The store owns two things and nothing else. **Features** belong to a file's *content*: the rows of one family of one
content hash are computed once, and whoever stored them first is believed. **Records** belong to a *track* (a path): of
several records of one track the one of the highest `Rank` counts, so a late redelivery never undoes a newer scan.
Therefore a moved, renamed or duplicated file costs a record and no computation. Labels, groups and splits live in the
run, never here.

`commit` returns only when what it stored survives a power cut; after it has returned, no death of any process loses it.
Committing the same thing twice is a no-op. A **snapshot** never changes while others write and compact; it is a plain
value that holds no open file, so it may be handed to a forked child. All methods may be called from any number of
threads, processes and hosts at once; nobody needs to hold a lock.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from pipeline.wire import Value

GRACE_S = 24 * 3600.0
"""How long what nobody refers to is kept, seconds: longer than any writer or compactor is at work, and than a reader
that does not hold its snapshot."""

UNUSED_S = 30 * GRACE_S
"""How long features are kept of contents that no track has any more, seconds: a library on a disk that was not mounted
looks deleted, and weeks of computing are worth more than the space for a month."""


class CompactionReport(Value, frozen=True, kw_only=True):
    """What one compaction did."""

    state: Literal["compacted", "nothing", "lost"]
    """`lost`: other compactors were faster every time; their result stands and nothing was dropped."""
    segments: int = 0
    """Segments that now live in parts and were unlinked."""
    parts: int = 0
    """Parts written of what was merged."""
    dropped: int = 0
    """Contents of families that no track had any more for so long that they were dropped."""
    damaged: tuple[str, ...] = ()
    """One line for each file whose bytes are not what was written; a damaged segment was set aside, so that its
    track counts as not extracted and heals with the next run."""


class GcReport(Value, frozen=True, kw_only=True):
    """How many files a collection removed."""

    manifests: int = 0
    parts: int = 0
    temporary: int = 0


class Snapshot(ABC):
    """The store as it was at one moment."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many tracks have a record, failed ones included."""

    @abstractmethod
    def records(self) -> Iterator[TrackRecord]:
        """Yield the record of every track once, in no particular order."""

    @abstractmethod
    def record(self, track_id: str) -> TrackRecord | None:
        """Return the record of a track, or None when there is none."""

    @abstractmethod
    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content; empty for an unknown one."""

    @abstractmethod
    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return one family's rows of each content, in the order asked; repeats are allowed.

        Raises `StoreError` naming what is missing, or the file, content and family whose bytes are damaged.
        """


class FeatureStore(ABC):
    """Where features and track records are kept; see the module for who owns what."""

    @abstractmethod
    def commit(
        self, record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]
    ) -> bool:
        """Store a track's record and the rows of its content, durably.

        `features` and `specs` are by family key; `specs` may hold more than is used. Returns False when all of it was
        there already. A failed record has no features, nor has one without a content hash.
        Raises `StoreError` naming path and reason when it could not be stored: nothing is then half there and the
        commit may be tried again. Raises `UsageError` for values that contradict each other.
        """

    @abstractmethod
    def record(self, track_id: str) -> TrackRecord | None:
        """Return the newest record of a track, or None when there is none."""

    @abstractmethod
    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content; empty for an unknown one."""

    @abstractmethod
    def record_of_content(self, content_hash: str) -> TrackRecord | None:
        """Return the newest record of some track that has this content and did not fail, or None.

        It tells what decoding would tell of a copy of the file, or of the file under another name.
        """

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return the store as it is now."""

    @contextmanager
    def hold(self) -> Iterator[Snapshot]:
        """Give the store as it is now to a reader that may need it for longer than the collection's grace.

        Any snapshot can be read for a day after its store went on; one that is held can be read until it is let go.
        Raises `StoreError` when the store cannot be written.
        """
        yield self.snapshot()

    @abstractmethod
    def compact(self, *, unused_s: float = UNUSED_S, grace_s: float = GRACE_S) -> CompactionReport:
        """Pack what many commits left behind into few files; changes nothing that a reader sees.

        Features of contents that no track refers to any more, as their files changed or were deleted, are given back:
        kept for `unused_s` seconds in case a file comes back, then hidden for `grace_s`, then dropped.
        """

    @abstractmethod
    def gc(self, *, grace_s: float = GRACE_S) -> GcReport:
        """Remove what nobody refers to and is older than `grace_s` seconds.

        Snapshots older than the grace may fail afterwards, and a grace shorter than the longest task can take the
        files of a writer at work away: leave it at a day unless nothing else runs.
        """
