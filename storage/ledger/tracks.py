"""What became of every file ever scanned, told from the home's storage alone: the feature store and the runs.

A track, which is a path, is in exactly one state:

- `pending`: scanned, and something the newest run wants of it is not stored: it was never extracted, came back after it
  was deleted, changed after it failed, lacks a family that was asked for since, or its failure was taken back.
- `extracted`: all of it is stored, or known to be impossible for this file, such as a family that needs more sound.
- `failed`: the newest attempt failed; its record tells kind, reason, attempts and host.
- `superseded`: extracted, but the newest scan saw another file there, by size or time: what is stored is of its older
  content, and counts until the file is extracted again.
- `deleted`: a scan that went through its library found it gone.

Which file a track is now is told by the newest scan that saw it; what is stored of it by its record of highest rank.
Augmented copies of a file are no tracks; they fail and go with it.
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
    """Of the content whose features count, where there are any."""
    failure: Failure | None = None
    """Why a failed track failed."""


class TrackIds:
    """A growing set of track ids that takes 16 bytes for each, however many there are."""

    def __init__(self) -> None:
        self._known = np.zeros(0, "S16")
        self._new = bytearray()

    def add(self, track_ids: Iterable[str]) -> None:
        """Take ids in; cheapest by hundreds."""
        for each in track_ids:
            self._new += bytes.fromhex(each)

    def missing(self, track_ids: Collection[str]) -> list[bool]:
        """Return of each id whether it is not in the set."""
        if self._new:
            known = np.sort(np.concatenate([self._known, np.frombuffer(bytes(self._new), "S16")]))
            # Not np.union1d, which imports numpy.ma.
            self._known = known[np.append(known[1:] != known[:-1], np.True_)]
            self._new.clear()
        asked = np.frombuffer(bytes.fromhex("".join(track_ids)), "S16")
        at = np.searchsorted(self._known, asked)
        found = at < len(self._known)
        found[found] = self._known[at[found]] == asked[found]
        missing: list[bool] = (~found).tolist()
        return missing


class Scan(Value, frozen=True, kw_only=True):
    """What a finished walk through libraries saw, as far as it decides which tracks are gone."""

    sequence: int
    libraries: tuple[str, ...]
    unreadable: frozenset[str] = frozenset()
    """Folders and files that could not be looked at; what lies below is not gone for all anybody knows."""

    def covers(self, path: str) -> bool:
        """Return whether the walk would have seen a file, were it there."""
        if not any(path.startswith(root.rstrip(os.sep) + os.sep) for root in self.libraries):
            return False
        while path not in self.unreadable:
            parent = os.path.dirname(path)  # noqa: PTH120 - paths with odd bytes, and a million of them
            if parent == path:
                return True
            path = parent
        return False


class TrackLedger:
    """The states of the tracks of one home; reads what is there now each time it is asked, and holds nothing."""

    def __init__(self, store: FeatureStore, runs: RunLedger) -> None:
        self._store = store
        self._runs = runs

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield the state of every track ever scanned, once, in no particular order."""
        snapshot = self._store.snapshot()
        told = TrackIds()
        for plan in self._newest_scans():
            keys = _family_keys(plan)
            for shard in self._runs.shards(plan.run_id):
                tracks = self._runs.shard(plan.run_id, shard)
                for track in _unknown(told, tracks):
                    yield _entry(snapshot, snapshot.record(track.track_id), track, plan.sequence, keys)
        for records in batches(snapshot.records(), _RECORDS_AT_ONCE):
            originals = [record for record in records if not record.copy_of]
            missing = told.missing([record.track_id for record in originals])
            for record, unscanned in zip(originals, missing, strict=True):
                if unscanned:
                    yield _entry(snapshot, record)

    def counts(self) -> dict[TrackState, int]:
        """Return how many tracks are in each state."""
        found = Counter(entry.state for entry in self.entries())
        return {state: found[state] for state in STATES}

    def gone(self, scan: Scan, seen: TrackIds, *, is_gone: Callable[[str], bool]) -> Iterator[TrackRecord]:
        """Yield the marks of the tracks that a scan did not see any more, and of their augmented copies.

        `seen` has the tracks it saw; `is_gone` looks once more whether there is no file at a path, as there may be
        one that came during the walk, or is seen under another name now.
        """
        snapshot = self._store.snapshot()
        for records in batches(snapshot.records(), _RECORDS_AT_ONCE):
            held = [each for each in records if each.mark != "deleted" and each.sequence < scan.sequence]
            for record, missing in zip(held, seen.missing([track_id(each.path) for each in held]), strict=True):
                if missing and scan.covers(record.path) and is_gone(record.path):
                    yield deletion(record, scan.sequence)
        told = TrackIds()
        for plan in self._newest_scans(before=scan.sequence):
            for shard in self._runs.shards(plan.run_id):
                for track in _unknown(told, _unseen(seen, self._runs.shard(plan.run_id, shard))):
                    never_extracted = scan.covers(track.path) and snapshot.record(track.track_id) is None
                    if never_extracted and is_gone(track.path):
                        yield deletion(_bare(track), scan.sequence)

    def retry(self, kinds: Collection[FailureKind] = ()) -> int:
        """Take the failures of some kinds back, or all; return of how many tracks. The next run extracts them again.

        No run may be at work, as what it extracts would not count. A family that a file cannot have is no failure of
        the track: it would be as impossible again.
        """
        tracks = 0
        for record in self._store.snapshot().records():
            if record.mark is None and record.failure is not None and (not kinds or record.failure.kind in kinds):
                self._store.commit(retry(record), {}, {})
                tracks += not record.copy_of
        return tracks

    def _newest_scans(self, *, before: int | None = None) -> Iterator[RunPlan]:
        """Yield the runs whose scans may tell something, newest first.

        A scan that went through its libraries has marked what was no longer there, so older ones of the same
        libraries tell nothing new.
        """
        covered: list[str] = []
        plans = [self._runs.plan(run_id) for run_id in self._runs.run_ids()]
        for plan in sorted(plans, key=lambda plan: plan.sequence, reverse=True):
            if plan.purpose != "library" or (before is not None and plan.sequence >= before):
                continue
            if all(_below(library, covered) for library in plan.libraries):
                continue
            yield plan
            if self._runs.scanned_all(plan.run_id):
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

    `scanned` is the file as the newest scan, of `sequence`, saw it, and `keys` the families wanted of it; `stored` are
    those stored for the record's content.
    """
    if record is None or record.mark == "retry":
        return "pending"
    newer = scanned is not None and sequence > record.sequence
    if record.mark == "deleted":
        return "pending" if newer else "deleted"
    if newer and scanned is not None and scanned.stamp != record.stamp:
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
    known = record if record is not None else _bare(scanned) if scanned is not None else None
    assert known is not None, "a track was scanned or is stored"  # noqa: S101 - narrows the type
    stored = snapshot.families_of(record.content_hash) if record is not None and keys else frozenset[str]()
    state = state_of(record, scanned=scanned, sequence=sequence, keys=keys, stored=stored)
    return LedgerEntry(
        track_id=known.track_id,
        path=known.path,
        state=state,
        content_hash=known.content_hash if state in {"extracted", "superseded"} else "",
        failure=known.failure if state == "failed" else None,
    )


def _family_keys(plan: RunPlan) -> frozenset[str]:
    """Return the store keys of what a run wants of every file: nothing when it does not extract."""
    keys = set()
    for name in plan.recipe.families if plan.extract else ():
        try:
            keys.add(family(name).spec.key)
        except UsageError:
            continue  # a family of one's own that is not installed here: nothing can be said about it
    return frozenset(keys)


def _bare(track: ScannedTrack) -> TrackRecord:
    """Return what is known of a track that was only scanned, as a record."""
    return TrackRecord(track_id=track.track_id, path=track.path, stamp=track.stamp, sequence=0, content_hash="")


def _below(library: str, covered: Iterable[str]) -> bool:
    """Return whether a folder is one of some, or lies in one."""
    return any(library == root or library.startswith(root.rstrip(os.sep) + os.sep) for root in covered)


def _unseen(seen: TrackIds, tracks: Collection[ScannedTrack]) -> list[ScannedTrack]:
    missing = seen.missing([track.track_id for track in tracks])
    return [track for track, unseen in zip(tracks, missing, strict=True) if unseen]


def _unknown(told: TrackIds, tracks: Collection[ScannedTrack]) -> list[ScannedTrack]:
    """Return the tracks that are not in a set yet, and put them in."""
    found = list({track.track_id: track for track in _unseen(told, tracks)}.values())
    told.add(track.track_id for track in found)
    return found
