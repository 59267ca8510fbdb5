"""The interface of a feature store, and its guarantees.

A store has two kinds of data. **Features** belong to a file's *content*: the rows of one family of one content hash
are stored once, and the first to be stored stay. **Records** belong to a *track* (a path): of several records of one
track the one of the highest `Rank` counts, so a late redelivery never undoes a newer scan. Therefore a moved, renamed
or duplicated file costs a record and no computation. Labels, groups and splits belong to runs and are not stored here.

`commit` returns only when what it stored survives a power cut and the death of any process. Committing the same again
is a no-op. A **snapshot** never changes while others write and compact; it is a plain value without an open file, so
it may be used in a forked child. All methods may be called from any number of threads, processes and hosts at once,
without a lock.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from pipeline.wire import Value

GRACE_S = 24 * 3600.0
"""How long files that nothing refers to are kept, seconds: longer than any writer, compactor or reader without a held
snapshot takes."""

UNUSED_S = 30 * GRACE_S
"""How long features are kept of contents that no track has any more, seconds: the files of a disk that was not mounted
look deleted, and extracting them again may take weeks."""


class CompactionReport(Value, frozen=True, kw_only=True):
    """The result of one compaction."""

    state: Literal["compacted", "nothing", "lost"]
    """`lost`: other compactors published first at every attempt; their result stands and nothing was dropped."""
    segments: int = 0
    """How many segments were merged into parts and unlinked."""
    parts: int = 0
    """How many parts were written."""
    dropped: int = 0
    """How many contents of families were dropped, as no track had them any more for long enough."""
    damaged: tuple[str, ...] = ()
    """One line for each damaged file; a damaged segment was set aside, so that its track counts as not extracted and
    is extracted again by the next run."""


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
        """Return one family's rows of each content, in their order; contents may repeat.

        Raises `StoreError` naming what is missing, or the file, content and family whose bytes are damaged.
        """


class FeatureStore(ABC):
    """A store of features and track records; the module's docstring has its guarantees."""

    @abstractmethod
    def commit(
        self, record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]
    ) -> bool:
        """Store a track's record and the rows of its content, durably.

        `features` and `specs` are by family key; `specs` may have more families than `features`. Returns False when
        all of it was stored before. A failed record has no features, nor has one without a content hash.
        Raises `StoreError` naming path and reason when it could not be stored: nothing of it is then visible and the
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

        It has what decoding a copy of the file, or the file under another name, would give.
        """

    @abstractmethod
    def content_of_sound(self, sound_hash: str) -> str | None:
        """Return the content that has a sound under another name than the sound's own digest, or None.

        Homes made before named their contents by all bytes of a file. A record counts here once it was compacted.
        """

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return the store as it is now."""

    @contextmanager
    def hold(self) -> Iterator[Snapshot]:
        """Pin the store as it is now for a reader that may need it for longer than the collection's grace.

        Any snapshot can be read for `GRACE_S` after the store changed; a held one until the context ends. A store that
        can only be read is not pinned. Raises `StoreError` when it cannot be written for another reason.
        """
        yield self.snapshot()

    @abstractmethod
    def compact(self, *, unused_s: float = UNUSED_S, grace_s: float = GRACE_S) -> CompactionReport:
        """Merge the files of many commits into few; changes nothing that a reader reads.

        Features of contents that no track refers to any more, as their files changed or were deleted, are dropped:
        kept for `unused_s` seconds in case a file comes back, then hidden for `grace_s` seconds, then dropped.
        """

    @abstractmethod
    def gc(self, *, grace_s: float = GRACE_S) -> GcReport:
        """Remove files that nothing refers to and that are older than `grace_s` seconds.

        Snapshots older than the grace may fail afterwards, and a grace shorter than the longest task may remove the
        files that a writer is writing: leave it at a day unless nothing else runs.
        """
