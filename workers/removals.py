"""Files that are gone from a library."""

import os
from collections.abc import Iterable, Sequence

from pipeline.tracks import track_id
from storage.rules import deletion
from workers.context import Doors


def remove(context: Doors, libraries: Sequence[str], paths: Iterable[str]) -> int:
    """Mark files that were removed from libraries as deleted; return how many of them the store knew.

    Their features stay for a while: rows belong to a content, which may be back under another name. A library that is
    itself not there, or empty, was unmounted rather than removed: then nothing was. Raises `StoreError`.
    """
    if not all(_is_there(library) for library in libraries):
        return 0
    # That of the newest scan: within it a mark outranks what it was put on, and whatever is scanned later outranks the
    # mark. The time would not do: one told by a clock that was ahead would hide the file from scans to come.
    scanned = [context.ledger.plan(run_id).sequence for run_id in context.ledger.run_ids()[-1:]]
    removed = 0
    for path in paths:
        record = context.store.record(track_id(path))
        if record is None or record.mark == "deleted":
            continue
        removed += context.store.commit(deletion(record, max([record.sequence, *scanned])), {}, {})
    return removed


def _is_there(library: str) -> bool:
    try:
        with os.scandir(library) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
