"""The copies in a home: which of its files are one, from what is stored; no file is changed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.batches import batches
from pipeline.errors import UsageError
from pipeline.features.families import fingerprint
from pipeline.library.duplicates import Copy, CopyFacts, CopySet, Relation, Words, copy_sets
from pipeline.library.duplicates.probe import probe
from pipeline.library.duplicates.words import LEAST_WORDS
from pipeline.library.imported import PREFIX
from pipeline.library.tracks import TrackRecord
from pipeline.text import printable
from storage.base import FeatureStore, Snapshot
from storage.ledger.tracks import TrackLedger, TrackState

_CONTENTS_AT_ONCE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """The sets of copies, and what was left out of the comparison."""

    sets: tuple[CopySet, ...]
    compared: int
    """Files."""
    too_short: int = 0
    """Of those compared, files with too little sound to be compared by their music."""
    without_fingerprint: int = 0
    """Of those compared, files that could only be compared by bytes and sound, as they have no fingerprint."""
    not_extracted: int = 0
    """Files of which nothing is stored."""
    changed: int = 0
    """Files that are others now than those extracted."""
    missing: int = 0
    """Copies that are not there now, or cannot be looked at."""
    links: int = 0
    """Further names of a copy: links to it."""


def same_file_key(record: TrackRecord) -> str:
    """Return what is equal for files of the same bytes; in homes made before these name the content."""
    return record.file_hash or record.content_hash


def same_sound_key(record: TrackRecord) -> str:
    """Return what is equal for files of the same sound."""
    return record.sound_hash or record.content_hash


def find_duplicates(
    store: FeatureStore, ledger: TrackLedger, libraries: Sequence[str] = (), *, kind: Relation = "music"
) -> Duplicates:
    """Return the sets of copies below some folders, absolute paths; by default of all that is stored.

    With a kind only those that have at least that in common. Holds the fingerprints of all files, about 16 kB for four
    minutes. Raises `UsageError` naming a folder in which no file is known.
    """
    states = _states(ledger, libraries)
    snapshot = store.snapshot()
    records = [
        each for each in snapshot.records() if each.track_id in states and _is_usable(each, states[each.track_id])
    ]
    records.sort(key=lambda record: os.fsencode(record.path))
    prints = _prints(snapshot, {record.content_hash for record in records}) if kind == "music" else {}
    lengths = [prints[each.content_hash].clear_words if each.content_hash in prints else -1 for each in records]
    files = _Files({record.path: record for record in records})
    sets = copy_sets(map(_copy, records), prints, files.facts, kind=kind)
    changed = sum(state == "superseded" for state in states.values())
    return Duplicates(
        sets=tuple(sets),
        compared=len(records),
        too_short=sum(0 <= length < LEAST_WORDS for length in lengths) if kind == "music" else 0,
        without_fingerprint=sum(length < 0 for length in lengths) if kind == "music" else 0,
        not_extracted=len(states) - len(records) - changed,
        changed=changed + files.changed,
        missing=files.missing,
        links=files.links,
    )


def _states(ledger: TrackLedger, libraries: Sequence[str]) -> dict[str, TrackState]:
    """Return the state of each file that is not deleted, by track id. Raises `UsageError` naming an unknown folder."""
    roots = [library.rstrip(os.sep) + os.sep for library in libraries]
    used: set[str] = set()
    states: dict[str, TrackState] = {}
    for entry in ledger.entries():
        own = [root for root in roots if f"{entry.path}{os.sep}".startswith(root)]
        used.update(own)
        if (own or not roots) and entry.state != "deleted" and not entry.path.startswith(PREFIX):
            states[entry.track_id] = entry.state
    for library, root in zip(libraries, roots, strict=True):
        if root not in used:
            raise UsageError(
                f"library {printable(library)}: no file of it is known here; bring it in with `chordal extract LIBRARY`"
            )
    return states


def _is_usable(record: TrackRecord, state: TrackState) -> bool:
    """Return whether a record is of the file as it is now: one that lacks a family only is."""
    return record.extracted and not record.copy_of and bool(record.content_hash) and state in {"extracted", "pending"}


def _prints(snapshot: Snapshot, contents: Iterable[str]) -> dict[str, Words]:
    """Return the fingerprints of the contents that have one."""
    key = fingerprint.spec.key
    stored = sorted(content for content in contents if key in snapshot.families_of(content))
    prints: dict[str, Words] = {}
    for some in batches(stored, _CONTENTS_AT_ONCE):
        for content, rows in zip(some, snapshot.rows(key, some), strict=True):
            values = rows.values
            prints[content] = Words(words=fingerprint.words_of(values), levels=fingerprint.levels_of(values))
    return prints


def _copy(record: TrackRecord) -> Copy:
    return Copy(
        path=record.path,
        file_key=same_file_key(record),
        sound_key=same_sound_key(record),
        content_hash=record.content_hash,
        size_bytes=record.stamp.size_bytes,
        duration_s=record.duration_s,
        sample_rate_hz=record.sample_rate_hz,
        channels=record.channels,
        note=record.note,
    )


class _Files:
    """The files of copies as they are on the disk: no name of another, no file that is gone, goes into a set."""

    def __init__(self, records: Mapping[str, TrackRecord]) -> None:
        self._records = records
        self._seen: set[tuple[int, int]] = set()
        self.changed = 0
        self.missing = 0
        self.links = 0

    def facts(self, copy: Copy) -> CopyFacts | None:
        """Return what decides between copies; None, counted, for a file that is not what was extracted, or a link."""
        try:
            status = os.stat(copy.path)  # noqa: PTH116 - paths with odd bytes
        except NotADirectoryError:
            album = os.path.dirname(copy.path)  # noqa: PTH120 - as above
            if os.path.isfile(album):  # noqa: PTH113 - as above
                return probe(copy, album, in_album_file=True)
            self.missing += 1
            return None
        except OSError:
            self.missing += 1
            return None
        stamp = self._records[copy.path].stamp
        if (status.st_size, status.st_mtime_ns) != (stamp.size_bytes, stamp.mtime_ns):
            self.changed += 1
            return None
        real = os.path.realpath(copy.path)
        file = (status.st_dev, status.st_ino)
        if file in self._seen or (real != copy.path and real in self._records):
            self.links += 1
            return None
        self._seen.add(file)
        return probe(copy, copy.path)
