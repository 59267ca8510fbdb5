"""Cached listings of the inbox's folders, which every commit and look-up needs while other processes write into them.

A cached listing is valid while the folder's modification time is the same. That time has a granularity, a tick: a
second change within a tick leaves it as it is. So a listing is cached only when it was made more than a tick after its
modification time was first read; any later change gets another time. The wait is measured by this host's monotonic
clock, as the clock that stamps the folder may be another host's, and wrong.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 0.1
"""More than the granularity of file times, which is a few ms, seconds."""

_COARSE_TICK_S = 5.0
"""The same for file systems whose times are whole seconds, or even ones."""

_ID_LENGTH = 32


@dataclass(slots=True)
class _Folder:
    """The cached state of a folder."""

    mtime_ns: int
    read_s: float
    """When this modification time was first read, by `now_s`."""
    by_id: dict[str, list[str]] | None = None
    """The sorted names in it by the ids in them, once the listing may be cached."""


class Listings:
    """The names in the subfolders of `root`, which have ids between dots. Safe from threads."""

    def __init__(self, root: Path, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._root = str(root)
        self._now_s = now_s
        self._known: dict[str, _Folder] = {}

    def names_with(self, folder: str, hex_id: str) -> Sequence[str]:
        """Return the sorted names in a folder that have an id; none when there is no such folder. Raises `OSError`."""
        try:
            # Opened, not only stat-ed: network file systems then ask the server.
            descriptor = os.open(f"{self._root}/{folder}", os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return ()
        try:
            mtime_ns, now_s = os.fstat(descriptor).st_mtime_ns, self._now_s()
            known = self._known.get(folder)
            if known is None or known.mtime_ns != mtime_ns:
                known = self._known[folder] = _Folder(mtime_ns=mtime_ns, read_s=now_s)
            if known.by_id is None:
                with os.scandir(descriptor) as entries:
                    names = [entry.name for entry in entries]
                if now_s - known.read_s <= (_TICK_S if mtime_ns % 1_000_000_000 else _COARSE_TICK_S):
                    return sorted(name for name in names if hex_id in name)
                known.by_id = _by_id(names)
            return known.by_id.get(hex_id, ())
        finally:
            os.close(descriptor)


def _by_id(names: list[str]) -> dict[str, list[str]]:
    by_id: dict[str, list[str]] = {}
    for name in sorted(names):
        for field in {*name.split(".")}:
            if len(field) == _ID_LENGTH:
                by_id.setdefault(field, []).append(name)
    return by_id
