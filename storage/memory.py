"""A feature store in this process's memory: the reference that the file store is tested against, and used in tests."""

import threading
from collections.abc import Iterator, Mapping, Sequence

from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from storage.base import GRACE_S, UNUSED_S, CompactionReport, FeatureStore, GcReport, Snapshot
from storage.rules import check_commit, describes_content, missing_rows_error, rank

Contents = dict[str, dict[str, FeatureRows]]


class MemoryFeatureStore(FeatureStore):
    """A store in dictionaries, lost with the process."""

    def __init__(self) -> None:
        self._records: dict[str, TrackRecord] = {}
        self._contents: Contents = {}
        self._lock = threading.Lock()

    def commit(
        self, record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]
    ) -> bool:
        """Store a track's record and the rows of its content; False when all of it was stored before."""
        check_commit(record, features, specs)
        with self._lock:
            stored_rows = self._contents.get(record.content_hash, {})
            new = {key: _copy(rows) for key, rows in features.items() if key not in stored_rows}
            stored = self._records.get(record.track_id)
            newer = stored is None or rank(stored) < rank(record)
            if newer:
                self._records[record.track_id] = record
            if new:
                # A new dictionary, so that those of older snapshots do not change.
                self._contents[record.content_hash] = {**stored_rows, **new}
        return newer or bool(new)

    def record(self, track_id: str) -> TrackRecord | None:
        """Return the newest record of a track, or None when there is none."""
        return self._records.get(track_id)

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content; empty for an unknown one."""
        return frozenset(self._contents.get(content_hash, ()))

    def record_of_content(self, content_hash: str) -> TrackRecord | None:
        """Return the newest record of some track that has this content and did not fail, or None."""
        with self._lock:
            records = list(self._records.values())
        matches = (record for record in records if record.content_hash == content_hash and describes_content(record))
        return next(matches, None) if content_hash else None

    def content_of_sound(self, sound_hash: str) -> str | None:
        """Return the content that has a sound under another name than the sound's own digest, or None."""
        with self._lock:
            records = list(self._records.values())
        found = (record.content_hash for record in records if record.sound_hash == sound_hash and record.content_hash)
        return next((content for content in found if content != sound_hash), None) if sound_hash else None

    def snapshot(self) -> Snapshot:
        """Return the store as it is now."""
        with self._lock:
            return MemorySnapshot(dict(self._records), dict(self._contents))

    def compact(self, *, unused_s: float = UNUSED_S, grace_s: float = GRACE_S) -> CompactionReport:
        """Do nothing: there are no files to merge."""
        return CompactionReport(state="nothing")

    def gc(self, *, grace_s: float = GRACE_S) -> GcReport:
        """Do nothing: Python frees what nothing refers to."""
        return GcReport()


class MemorySnapshot(Snapshot):
    """A copy of the dictionaries of a `MemoryFeatureStore`."""

    def __init__(self, records: dict[str, TrackRecord], contents: Contents) -> None:
        self._records = records
        self._contents = contents

    def __len__(self) -> int:
        """Return how many tracks have a record, failed ones included."""
        return len(self._records)

    def records(self) -> Iterator[TrackRecord]:
        """Yield the record of every track once."""
        yield from self._records.values()

    def record(self, track_id: str) -> TrackRecord | None:
        """Return the record of a track, or None when there is none."""
        return self._records.get(track_id)

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content; empty for an unknown one."""
        return frozenset(self._contents.get(content_hash, ()))

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return one family's rows of each content, in their order; raises `StoreError` naming the missing."""
        missing = sorted({h for h in content_hashes if family_key not in self._contents.get(h, {})})
        if missing:
            raise missing_rows_error(family_key, missing)
        return [_copy(self._contents[h][family_key]) for h in content_hashes]


def _copy(rows: FeatureRows) -> FeatureRows:
    """Return rows that share no memory with others, so that changing them does not change what is stored."""
    return FeatureRows(values=rows.values.copy(), start_s=rows.start_s.copy(), channel=rows.channel.copy())
