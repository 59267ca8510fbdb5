"""Does this host see a run's libraries? A folder that is not mounted must not look like a million missing files."""

import os
import time
from collections.abc import Callable

from pipeline.errors import TransientError
from pipeline.text import printable
from workers.app.context import Context
from workers.app.path_map import local_path

AGAIN_S = 2.0
"""How long the result of a check holds."""


class LibraryNotMountedError(TransientError):
    """A library is not there on this host: another one may see it, or this one later."""


class MountCheck:
    """Which libraries of the runs that a worker is given files of its host does not see."""

    def __init__(self) -> None:
        self._checked_s: dict[str, float] = {}
        self._missing: dict[str, str] = {}

    def check(self, context: Context, run_id: str) -> str:
        """Return the library of a run that is not there, in words; empty when all are there."""
        now_s = time.monotonic()
        if now_s - self._checked_s.get(run_id, -AGAIN_S) >= AGAIN_S:
            self._checked_s[run_id] = now_s
            self._missing[run_id] = missing_library(context, run_id)
        return self._missing[run_id]

    def check_missing(self, context: Context, is_cancelled: Callable[[str], bool]) -> None:
        """Check the runs again of which a library was missing; one that was cancelled waits for it no more."""
        for run_id in [run_id for run_id, words in self._missing.items() if words]:
            if is_cancelled(run_id):
                del self._missing[run_id]
            else:
                self.check(context, run_id)

    @property
    def missing(self) -> str:
        """A library that was not there at the last check, in words; empty when all were."""
        return next(filter(None, self._missing.values()), "")


def missing_library(context: Context, run_id: str) -> str:
    """Return the first library of a run that this host does not see, in words; empty when it sees all of them.

    An empty folder counts: it is a place where something should be mounted.
    """
    for library in context.plan(run_id).libraries:
        path = local_path(library, context.settings.maps)
        try:
            with os.scandir(path) as entries:
                reason = "" if next(entries, None) else "is empty"
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        if reason:
            return f"{printable(library)} {reason}" + (f" at {printable(path)}" if path != library else "")
    return ""
