"""Does this host see a run's libraries? A folder that is not mounted must not look like a million missing files."""

import os
import time
from functools import lru_cache

from pipeline.errors import TransientError
from pipeline.text import printable
from workers.app.context import Context
from workers.app.path_map import local_path

AGAIN_S = 2.0
"""How long an answer holds."""


class LibraryNotMountedError(TransientError):
    """A library is not there on this host: another one may see it, or this one later."""


class MountCheck:
    """What a worker's host does not see of the libraries it is asked to read; empty when it sees all."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        self._unseen: dict[str, str] = {}

    def look(self, context: Context, run_id: str) -> str:
        """Return the library of a run that is not there, in words, or an empty string."""
        now = time.monotonic()
        if now - self._asked.get(run_id, -AGAIN_S) >= AGAIN_S:
            self._asked[run_id] = now
            self._unseen[run_id] = missing_library(context, run_id)
        return self._unseen[run_id]

    def again(self, context: Context) -> None:
        """Look again for what was not seen."""
        for run_id in [run_id for run_id, words in self._unseen.items() if words]:
            self.look(context, run_id)

    @property
    def unseen(self) -> str:
        """A library that was not there at the last look, in words; empty when all were."""
        return next(filter(None, self._unseen.values()), "")


def missing_library(context: Context, run_id: str) -> str:
    """Return the first library of a run that this host does not see, in words; empty when it sees all of them.

    An empty folder counts: it is a place where something should be mounted.
    """
    for library in _libraries(context, run_id):
        here = local_path(library, context.settings.maps)
        try:
            with os.scandir(here) as entries:
                reason = "" if next(entries, None) else "is empty"
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        if reason:
            return f"{printable(library)} {reason}" + (f" at {printable(here)}" if here != library else "")
    return ""


@lru_cache(maxsize=8)
def _libraries(context: Context, run_id: str) -> tuple[str, ...]:
    return context.ledger.plan(run_id).libraries
