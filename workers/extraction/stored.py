"""What a scan found and the store has already: sealed at once, without a broker, a worker or a task."""

from collections.abc import Sequence

import numpy as np

from pipeline.batches import batches
from pipeline.library.tracks import FileStamp, ScannedTrack, TrackRecord
from pipeline.plans.run import RunPlan, ShardSummary
from storage import Snapshot
from storage.home import Home
from workers.broker.counters import OUTCOMES
from workers.extraction.settled import audio_s, family_keys, is_accounted_for, is_retagged, outcome

BATCH = 4096

_STAMP = ("size_bytes", "mtime_ns", "ctime_ns", "inode")
_ROW = np.dtype(
    [
        ("track_id", "S16"),
        ("size_bytes", "i8"),
        ("mtime_ns", "i8"),
        ("ctime_ns", "i8"),
        ("inode", "u8"),
        ("audio_s", "f8"),
        ("outcome", "u1"),
        ("retagged", "?"),
    ]
)


class StoredFiles:
    """The files that a store had everything of that a run wants, or their failures; 58 bytes for each."""

    def __init__(self, snapshot: Snapshot, plan: RunPlan) -> None:
        keys = family_keys(plan)
        rows = [
            np.array([_row(record, plan.sequence) for record in batch if _is_settled(record, snapshot, keys)], _ROW)
            for batch in batches(snapshot.records(), BATCH)
        ]
        found = np.concatenate([np.zeros(0, _ROW), *rows])
        self._rows = found[np.argsort(found["track_id"])]

    def missing(self, tracks: Sequence[ScannedTrack]) -> list[ScannedTrack]:
        """Return those of some files that are not known as they are now."""
        known = self._find(tracks)[1]
        return [track for track, is_known in zip(tracks, known.tolist(), strict=True) if not is_known]

    def outcomes(self, tracks: Sequence[ScannedTrack]) -> dict[str, int]:
        """Return what became of those of some files that are known as they are now."""
        rows, known = self._find(tracks)
        counts = np.bincount(rows["outcome"][known], minlength=len(OUTCOMES)).tolist()
        return dict(zip(OUTCOMES, counts, strict=True))

    def summary(self, shard: int, tracks: Sequence[ScannedTrack]) -> ShardSummary | None:
        """Return what became of the files of a shard, or None when something is missing of any of them."""
        rows, known = self._find(tracks)
        if not known.all():
            return None
        return ShardSummary(
            shard=shard,
            audio_s=float(rows["audio_s"].sum()),
            retagged=int(rows["retagged"].sum()),
            **self.outcomes(tracks),
        )

    def _find(self, tracks: Sequence[ScannedTrack]) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of some files, and of each file whether it has one."""
        if not len(self._rows):
            return np.zeros(len(tracks), _ROW), np.zeros(len(tracks), bool)
        ids = np.frombuffer(bytes.fromhex("".join(track.track_id for track in tracks)), "S16")
        at = np.searchsorted(self._rows["track_id"], ids)
        rows = self._rows[np.minimum(at, len(self._rows) - 1)]
        return rows, (rows["track_id"] == ids) & _matches(rows, [track.stamp for track in tracks])


def stored_files(home: Home, plan: RunPlan) -> StoredFiles | None:
    """Return what the store has now of what a run wants.

    None for a run of augmented copies or chunks: whether they are complete has to be read file by file.
    """
    if plan.recipe.augment is not None or plan.chunk_s is not None:
        return None
    return StoredFiles(home.store.snapshot(), plan)


def seal_stored(home: Home, plan: RunPlan) -> None:
    """Seal the shards of a scanned run of which nothing is missing; the others are for the workers."""
    if not home.has_store:
        return  # the first run of a home
    home.store.compact()  # as each sealing does
    known = stored_files(home, plan)
    if known is None:
        return
    for shard in home.ledger.shards(plan.run_id):
        summary = known.summary(shard, home.ledger.shard(plan.run_id, shard))
        if summary is not None:
            home.ledger.seal(plan.run_id, summary)


def _is_settled(record: TrackRecord, snapshot: Snapshot, keys: frozenset[str]) -> bool:
    return not record.copy_of and is_accounted_for(record, keys, snapshot)


def _matches(rows: np.ndarray, stamps: Sequence[FileStamp]) -> np.ndarray:
    """Return of each of some files whether it counts as unchanged, as `FileStamp.matches` says."""
    size_bytes, mtime_ns, ctime_ns, inode = (
        np.array([getattr(stamp, name) for stamp in stamps], _ROW[name]) for name in _STAMP
    )
    matches: np.ndarray = (rows["size_bytes"] == size_bytes) & (rows["mtime_ns"] == mtime_ns)
    for name, now in (("ctime_ns", ctime_ns), ("inode", inode)):
        matches &= (rows[name] == now) | (rows[name] == 0) | (now == 0)
    return matches


def _row(record: TrackRecord, sequence: int) -> tuple[bytes, int, int, int, int, float, int, bool]:
    place, stamp = OUTCOMES.index(outcome(record, sequence)), record.stamp
    return (
        bytes.fromhex(record.track_id),
        stamp.size_bytes,
        stamp.mtime_ns,
        stamp.ctime_ns,
        stamp.inode,
        audio_s(record),
        place,
        is_retagged(record, sequence),
    )
