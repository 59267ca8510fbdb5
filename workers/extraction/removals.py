"""Files that are gone from a library."""

import os
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from pipeline.library.cue.parse import MAX_TRACKS
from pipeline.library.tracks import ScannedTrack, TrackRecord, track_id
from pipeline.plans.album_part import AlbumPart
from pipeline.plans.run import RunPlan
from storage.home import Home
from storage.ledger.tracks import ScanCoverage, TrackIds
from storage.rules import deletion

_CD_TRACKS = 99


def remove(home: Home, libraries: Sequence[str], paths: Iterable[str]) -> int:
    """Mark files that were removed from libraries as deleted; return how many of them the store knew.

    Their features stay for a while: rows belong to a content, which may be back under another name. A library that is
    itself not there, or empty, was unmounted rather than removed: then nothing was. Raises `StoreError`.
    """
    if not all(_is_there(library) for library in libraries):
        return 0
    # That of the newest scan: within it a mark outranks what it was put on, and whatever is scanned later outranks the
    # mark. The time would not do: that of a clock that was ahead would hide the file from scans to come.
    scanned = [home.ledger.plan(run_id).sequence for run_id in home.ledger.run_ids()[-1:]]
    removed = 0
    for path in paths:
        for record in [home.store.record(track_id(path)), *_records_in(home, path)]:
            if record is not None and record.mark != "deleted":
                removed += home.store.commit(deletion(record, max([record.sequence, *scanned])), {}, {})
    return removed


def remove_other_tracks(home: Home, tracks: Sequence[ScannedTrack]) -> int:
    """Mark the tracks that the files of some tracks, all of each file, were cut into before as deleted.

    Returns how many there were. Raises `StoreError`.
    """
    if not home.has_store:
        return 0
    ids = {track.track_id for track in tracks}
    scanned = [home.ledger.plan(run_id).sequence for run_id in home.ledger.run_ids()[-1:]]
    removed = 0
    for path in dict.fromkeys(track.file_path for track in tracks):
        for record in [home.store.record(track_id(path)), *_records_in(home, path)]:
            if record is not None and record.mark != "deleted" and record.track_id not in ids:
                removed += home.store.commit(deletion(record, max([record.sequence, *scanned])), {}, {})
    return removed


def _records_in(home: Home, path: str) -> Iterator[TrackRecord]:
    """Yield the records of the tracks that a cue sheet cut a file into; a gap in their numbers ends it, after 99."""
    for number in range(MAX_TRACKS + 1):
        record = home.store.record(track_id(AlbumPart(number=number, start_s=0.0, end_s=None).path(path)))
        if record is not None:
            yield record
        elif number >= _CD_TRACKS:
            return


def _is_there(library: str) -> bool:
    try:
        with os.scandir(library) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def mark_gone(
    home: Home, plan: RunPlan, found: TrackIds, unreadable: frozenset[str], *, cut_files: AbstractSet[str] = frozenset()
) -> int:
    """Mark the tracks of the plan's libraries that the walk did not find any more; return how many.

    Files that a cue sheet cuts are there, but no tracks any more.
    """
    if len(home.ledger.run_ids()) == 1 and not home.has_store:
        return 0  # the first scan of a home: nothing was there before, and reading the store would make one
    marks = home.tracks.deletions(
        ScanCoverage(sequence=plan.sequence, libraries=plan.libraries, unreadable=unreadable),
        found,
        is_gone=lambda path: path in cut_files or is_gone(path),
    )
    tracks = 0
    for mark in marks:
        home.store.commit(mark, {}, {})
        tracks += not mark.copy_of
    return tracks


def is_gone(path: str) -> bool:
    """Tell whether there is nothing at a path; when that cannot be seen, it is not gone.

    Nor is what lies behind a link that leads nowhere: its disk may be away.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return not _is_behind_broken_link(path)
    except OSError:
        return False
    return False


def _is_behind_broken_link(path: str) -> bool:
    """Tell whether the way to a path that is not there ends at a link to nothing."""
    while (parent := os.path.dirname(path)) != path:  # noqa: PTH120 - paths with odd bytes
        path = parent
        if os.path.exists(path):  # noqa: PTH110
            return False
        if os.path.islink(path):  # noqa: PTH114
            return True
    return False
