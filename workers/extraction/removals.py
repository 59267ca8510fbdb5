"""Files that are gone from a library."""

import os
from collections.abc import Iterable, Sequence

from pipeline.library.tracks import track_id
from pipeline.plans.run import RunPlan
from storage.home import Home
from storage.ledger.tracks import ScanCoverage, TrackIds
from storage.rules import deletion


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
        record = home.store.record(track_id(path))
        if record is None or record.mark == "deleted":
            continue
        removed += home.store.commit(deletion(record, max([record.sequence, *scanned])), {}, {})
    return removed


def _is_there(library: str) -> bool:
    try:
        with os.scandir(library) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def mark_gone(home: Home, plan: RunPlan, found: TrackIds, unreadable: frozenset[str]) -> int:
    """Mark the tracks of the plan's libraries that the walk did not find any more; return how many."""
    if len(home.ledger.run_ids()) == 1 and not home.has_store:
        return 0  # the first scan of a home: nothing was there before, and reading the store would make one
    marks = home.tracks.deletions(
        ScanCoverage(sequence=plan.sequence, libraries=plan.libraries, unreadable=unreadable), found, is_gone=is_gone
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
