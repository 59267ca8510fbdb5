"""The state of every file ever scanned, derived from the feature store and the runs.

A track, which is a path, is in exactly one state:

- `pending`: scanned, and something that the newest run needs of it is not stored: it was never extracted, came back
  after it was deleted, changed after it failed, lacks a family that was added since, or its failure was cancelled.
- `extracted`: all of it is stored, or cannot be extracted from this file, such as a family that needs more sound.
- `failed`: the newest attempt failed; its record has kind, reason, attempts and host.
- `superseded`: extracted, but the newest scan found another file there, by size or time: the features stored are of
  its older content, and are used until the file is extracted again.
- `deleted`: a complete scan of its library did not find it.

The newest scan that found a track says which file it is now; its record of highest rank says what is stored of it.
Augmented copies of a file are no tracks; they fail and are deleted with it.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal, get_args

import numpy as np

from pipeline.batches import batches
from pipeline.errors import FailureKind, UsageError
from pipeline.features.registry import family
from pipeline.library.tracks import Failure, ScannedTrack, TrackRecord, track_id
from pipeline.plans.run import RunPlan
from pipeline.wire import Value
from storage.base import FeatureStore, Snapshot
from storage.ids import ids, pack, positions
from storage.ledger.runs import RunLedger
from storage.rules import deletion, is_complete, retry

TrackState = Literal["pending", "extracted", "failed", "superseded", "deleted"]
STATES: tuple[TrackState, ...] = get_args(TrackState)

_RECORDS_AT_ONCE = 1024


class LedgerEntry(Value, frozen=True, kw_only=True):
    """The state of one track."""

    track_id: str
    path: str
    state: TrackState
    content_hash: str = ""
    """Of the content whose features are used; empty when there are none."""
    failure: Failure | None = None
    """Why a failed track failed; None in any other state."""
    has_remark: bool = False
    """Whether the file was used and its decoder has something to say of it."""


class TrackIds:
    """A growing set of track ids that takes 16 bytes for each."""

    def __init__(self) -> None:
        self._sorted = np.zeros(0, "S16")
        self._new = bytearray()

    def add(self, track_ids: Iterable[str]) -> None:
        """Add ids; `missing` is fast when many are added between its calls."""
        for hex_id in track_ids:
            self._new += pack(hex_id)

    def missing(self, track_ids: Collection[str]) -> list[bool]:
        """Return of each id whether it is not in the set."""
        if self._new:
            merged = np.sort(np.concatenate([self._sorted, np.frombuffer(bytes(self._new), "S16")]))
            # Not np.union1d, which imports numpy.ma.
            self._sorted = merged[np.append(merged[1:] != merged[:-1], np.True_)]
            self._new.clear()
        missing: list[bool] = (positions(self._sorted, ids(track_ids)) < 0).tolist()
        return missing


class ScanCoverage(Value, frozen=True, kw_only=True):
    """What a finished scan covered: decides whether a track that it did not find is deleted."""

    sequence: int
    libraries: tuple[str, ...]
    unreadable: frozenset[str] = frozenset()
    """Folders and files that could not be read; what is in them may exist."""

    def covers(self, path: str) -> bool:
        """Return whether the scan would have found a file if it existed."""
        if not any(path.startswith(root.rstrip(os.sep) + os.sep) for root in self.libraries):
            return False
        while path not in self.unreadable:
            parent = os.path.dirname(path)  # noqa: PTH120 - paths with odd bytes, and a million of them
            if parent == path:
                return True
            path = parent
        return False


class TrackLedger:
    """The states of the tracks of one home; each method reads the current store and runs, and nothing is cached."""

    def __init__(self, store: FeatureStore, runs: RunLedger) -> None:
        self._store = store
        self._runs = runs

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield the state of every track ever scanned, once, in no particular order."""
        snapshot = self._store.snapshot()
        done = TrackIds()
        for plan in self._newest_scans():
            keys = _family_keys(plan)
            for shard in self._runs.shards(plan.run_id):
                for track in _add_missing(done, self._runs.shard(plan.run_id, shard)):
                    yield _entry(snapshot, snapshot.record(track.track_id), track, plan.sequence, keys)
        for records in batches(snapshot.records(), _RECORDS_AT_ONCE):
            originals = [record for record in records if not record.copy_of]
            missing = done.missing([record.track_id for record in originals])
            for record, is_missing in zip(originals, missing, strict=True):
                if is_missing:
                    yield _entry(snapshot, record)

    def counts(self) -> dict[TrackState, int]:
        """Return how many tracks are in each state."""
        return self.counts_and_remarks()[0]

    def counts_and_remarks(self) -> tuple[dict[TrackState, int], int]:
        """Return how many tracks are in each state, and on how many there is a remark of their decoder."""
        counts: Counter[TrackState] = Counter()
        remarks = 0
        for entry in self.entries():
            counts[entry.state] += 1
            remarks += entry.has_remark
        return {state: counts[state] for state in STATES}, remarks

    def deletions(
        self, scan: ScanCoverage, found: TrackIds, *, is_gone: Callable[[str], bool]
    ) -> Iterator[TrackRecord]:
        """Yield the deletion marks of the tracks that a scan did not find any more, and of their augmented copies.

        `found` has the tracks that it found; `is_gone` checks once more that there is no file at a path, as one may
        have been added during the scan, or may be found under another name now.
        """
        snapshot = self._store.snapshot()
        for records in batches(snapshot.records(), _RECORDS_AT_ONCE):
            older = [each for each in records if each.mark != "deleted" and each.sequence < scan.sequence]
            for record, missing in zip(older, found.missing([track_id(each.path) for each in older]), strict=True):
                if missing and scan.covers(record.path) and is_gone(record.path):
                    yield deletion(record, scan.sequence)
        done = TrackIds()
        for plan in self._newest_scans(before=scan.sequence):
            for shard in self._runs.shards(plan.run_id):
                for track in _add_missing(done, _missing(found, self._runs.shard(plan.run_id, shard))):
                    never_extracted = scan.covers(track.path) and snapshot.record(track.track_id) is None
                    if never_extracted and is_gone(track.path):
                        yield deletion(_record_of(track), scan.sequence)

    def retry(self, kinds: Collection[FailureKind] = ()) -> int:
        """Cancel the failures of some kinds, or all; return of how many tracks. The next run extracts them again.

        No run may be active, as what it extracts would rank below the marks. A family that cannot be extracted from a
        file is no failure of the track.
        """
        tracks = 0
        for record in self._store.snapshot().records():
            if record.mark is None and record.failure is not None and (not kinds or record.failure.kind in kinds):
                self._store.commit(retry(record), {}, {})
                tracks += not record.copy_of
        return tracks

    def needed_scans(self) -> list[str]:
        """Return the ids of the runs whose scans say which files the libraries have, newest first."""
        return [plan.run_id for plan in self._newest_scans()]

    def _newest_scans(self, *, before: int | None = None) -> Iterator[RunPlan]:
        """Yield the runs whose scans are needed, newest first.

        A complete scan has marked the tracks that it did not find, so older scans of the same libraries are not needed.
        """
        covered: list[str] = []
        plans = [self._runs.plan(run_id) for run_id in self._runs.run_ids()]
        for plan in sorted(plans, key=lambda plan: plan.sequence, reverse=True):
            if plan.purpose != "library" or (before is not None and plan.sequence >= before):
                continue
            if all(_below(library, covered) for library in plan.libraries):
                continue
            yield plan
            if self._runs.scan_is_complete(plan.run_id):
                covered += plan.libraries


def state_of(
    record: TrackRecord | None,
    *,
    scanned: ScannedTrack | None = None,
    sequence: int = -1,
    keys: frozenset[str] = frozenset(),
    stored: frozenset[str] = frozenset(),
) -> TrackState:
    """Return the state of a track.

    `scanned` is the file as the newest scan, of `sequence`, found it, and `keys` are the families needed of it;
    `stored` are those stored for the record's content.
    """
    if record is None or record.mark == "retry":
        return "pending"
    newer = scanned is not None and sequence > record.sequence
    if record.mark == "deleted":
        return "pending" if newer else "deleted"
    if newer and scanned is not None and not record.stamp.matches(scanned.stamp):
        return "superseded" if record.failure is None else "pending"
    if record.failure is not None:
        return "failed"
    return "extracted" if is_complete(record, keys, stored) else "pending"


def _entry(
    snapshot: Snapshot,
    record: TrackRecord | None,
    scanned: ScannedTrack | None = None,
    sequence: int = -1,
    keys: frozenset[str] = frozenset(),
) -> LedgerEntry:
    known = record if record is not None else _record_of(scanned) if scanned is not None else None
    assert known is not None, "a track was scanned or is stored"  # noqa: S101 - narrows the type
    stored = snapshot.families_of(record.content_hash) if record is not None and keys else frozenset[str]()
    state = state_of(record, scanned=scanned, sequence=sequence, keys=keys, stored=stored)
    return LedgerEntry(
        track_id=known.track_id,
        path=known.path,
        state=state,
        content_hash=known.content_hash if state in {"extracted", "superseded"} else "",
        failure=known.failure if state == "failed" else None,
        has_remark=state in {"extracted", "superseded"} and known.has_remark,
    )


def _family_keys(plan: RunPlan) -> frozenset[str]:
    """Return the store keys of the families that a run needs of every file: none when it does not extract."""
    keys = set()
    for name in plan.recipe.families if plan.extract else ():
        try:
            keys.add(family(name).spec.key)
        except UsageError:
            continue  # a plug-in's family that is not installed here has no key to look for
    return frozenset(keys)


def _record_of(track: ScannedTrack) -> TrackRecord:
    """Return a record of a track that was only scanned."""
    return TrackRecord(
        track_id=track.track_id, path=track.path, stamp=track.stamp, sequence=0, content_hash="", part=track.part
    )


def _below(library: str, covered: Iterable[str]) -> bool:
    """Return whether a folder is one of `covered`, or is in one of them."""
    return any(library == root or library.startswith(root.rstrip(os.sep) + os.sep) for root in covered)


def _missing(track_ids: TrackIds, tracks: Collection[ScannedTrack]) -> list[ScannedTrack]:
    """Return the tracks that are not in a set."""
    missing = track_ids.missing([track.track_id for track in tracks])
    return [track for track, is_missing in zip(tracks, missing, strict=True) if is_missing]


def _add_missing(track_ids: TrackIds, tracks: Collection[ScannedTrack]) -> list[ScannedTrack]:
    """Add tracks to a set; return those that were not in it, each once."""
    new = list({track.track_id: track for track in _missing(track_ids, tracks)}.values())
    track_ids.add(track.track_id for track in new)
    return new
