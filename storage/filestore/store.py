"""The feature store in a folder, over its layout and its indexes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from storage import durable
from storage.base import GRACE_S, UNUSED_S, CompactionReport, FeatureStore, GcReport, Snapshot
from storage.filestore import pins
from storage.filestore.aliases import Aliases
from storage.filestore.index import Indexes
from storage.filestore.layout import Layout, SegmentName
from storage.filestore.maintenance.collection import collect
from storage.filestore.maintenance.compaction import Compactor
from storage.filestore.maintenance.repair import repair
from storage.filestore.maintenance.verify import VerifyReport, verify
from storage.filestore.schema import segment_bytes
from storage.filestore.snapshot import FileSnapshot
from storage.filestore.store_mark import find_layout, open_layout
from storage.rules import Rank, check_commit, describes_content, rank


class FileFeatureStore(FeatureStore):
    """A store of immutable files in a folder that any number of processes and hosts share; see `layout` for the files.

    Holds no open file and no lock, so it may be used from threads and after a fork.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._indexes = Indexes(layout)
        self._aliases = Aliases(layout)
        self._compactor = Compactor(layout, self._indexes)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the store in a folder, made first where the folder is new or empty.

        Raises `UsageError` naming the folder, the reason and the mend when it cannot be made or written, holds
        something else, or was written by a newer chordal.
        """
        return cls(open_layout(path))

    @classmethod
    def existing(cls, path: Path) -> Self:
        """Return the store in a folder, for reading; nothing is made or changed, so the folder may be read-only.

        Raises `UsageError` naming the folder, the reason and the mend when there is none, or it was written by a
        newer chordal.
        """
        return cls(find_layout(path))

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return self._layout.root

    def commit(
        self, record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]
    ) -> bool:
        """Store a track's record and the rows of its content, durably; False when all of it was there already."""
        check_commit(record, features, specs)
        stored_keys = self.families_of(record.content_hash) if features else frozenset()
        new = {key: features[key] for key in sorted(features) if key not in stored_keys}
        stored = self._rank(record.track_id)
        if stored is not None and stored >= rank(record):
            if not new:
                return False
            if stored == rank(record):
                # The features are new, the record is not: the first one stays.
                record = self.record(record.track_id) or record
        self._layout.publish_specs(specs[key] for key in new)
        self._write(SegmentName.of(record, new), segment_bytes(record, new, specs))
        return True

    def _write(self, name: SegmentName, pieces: Iterable[bytes | memoryview]) -> None:
        """Write a segment into the inbox, durably. Raises `StoreError`."""
        target = self._layout.inbox / name.path
        with durable.store_errors(target, "be written"):
            durable.make_folder(target.parent)
            written = durable.temporary_path(self._layout.tmp, ".h5")
            durable.write_whole(written, *pieces)
            try:
                # Equal names mean equal content, so a segment that a redelivered task wrote before may be replaced.
                written.replace(target)
            except OSError:
                written.unlink(missing_ok=True)
                raise
            durable.sync_path(target.parent)

    def record(self, track_id: str) -> TrackRecord | None:
        """Return the newest record of a track, or None when there is none."""
        segments = self._layout.segments_of_track(track_id)
        return FileSnapshot(self._layout, self._indexes, self._indexes.newest(), segments).record(track_id)

    def _rank(self, track_id: str) -> Rank | None:
        """Return the rank of the newest record of a track, from names and the index alone; no file is opened."""
        ranks = [name.rank for name in self._layout.segments_of_track(track_id)]
        merged = self._indexes.newest().rank(track_id)
        return max([*ranks, merged] if merged is not None else ranks, default=None)

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content; empty for an unknown one."""
        if not content_hash:
            return frozenset()
        segments = self._layout.segments_of_content(content_hash)
        in_inbox = frozenset(key for name in segments for key in self._layout.families_in(name))
        return in_inbox | self._indexes.newest().families_of(content_hash)

    def record_of_content(self, content_hash: str) -> TrackRecord | None:
        """Return the newest record of some track that has this content and did not fail, or None."""
        if not content_hash:
            return None
        in_inbox = [name.track_id for name in self._layout.segments_of_content(content_hash)]
        for track_id in (*in_inbox, *self._indexes.newest().tracks_of(content_hash)):
            record = self.record(track_id)
            if record is not None and record.content_hash == content_hash and describes_content(record):
                return record
        return None

    def content_of_sound(self, sound_hash: str) -> str | None:
        """Return the content that has a sound under another name than the sound's own digest, or None."""
        return self._aliases.content_of(sound_hash, self._indexes.newest().manifest) if sound_hash else None

    def snapshot(self) -> Snapshot:
        """Return the store as it is now."""
        # First the inbox, then the manifest, so that a segment that is merged in between is in both, not in neither.
        segments = list(self._layout.segments())
        return FileSnapshot(self._layout, self._indexes, self._indexes.newest(), segments)

    @contextmanager
    def hold(self) -> Iterator[Snapshot]:
        """Pin the store as it is now for a reader that may need it for longer than the collection's grace."""
        with pins.pin(self._layout, self._indexes.newest().generation):
            yield self.snapshot()

    def compact(self, *, unused_s: float = UNUSED_S, grace_s: float = GRACE_S) -> CompactionReport:
        """Merge the inbox, and parts that are small, into parts; drop contents that no track refers to any more."""
        return self._compactor.compact(unused_s=unused_s, grace_s=grace_s)

    def verify(self) -> VerifyReport:
        """Read the whole store and check every checksum; changes nothing."""
        return verify(self._layout.root)

    def repair(self) -> VerifyReport:
        """Verify and repair; tracks whose data was lost count as not extracted, until the next run."""
        return repair(self._layout.root)

    def gc(self, *, grace_s: float = GRACE_S) -> GcReport:
        """Remove files that nothing refers to and that are older than `grace_s` seconds."""
        return collect(self._layout, grace_s=grace_s)
