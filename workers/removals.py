"""Files that are gone from a library."""

import os
from collections.abc import Iterable, Sequence

from pipeline.tracks import track_id
from workers.context import Doors


def remove(context: Doors, libraries: Sequence[str], paths: Iterable[str]) -> int:
    """Deal with files that were removed from libraries; return how many of them the store knows.

    Their features stay: rows belong to a content, which may be back under another name. A library that is itself not
    there, or empty, was unmounted rather than removed: then nothing was.
    """
    if not all(_is_there(library) for library in libraries):
        return 0
    return sum(context.store.record(track_id(path)) is not None for path in paths)


def _is_there(library: str) -> bool:
    try:
        with os.scandir(library) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
