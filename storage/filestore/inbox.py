"""Listing the folders of the inbox, by every commit and look-up, while other processes write into them.

A folder's modification time tells whether a listing is still true, but only in ticks: what is added within the tick of
an earlier change leaves the time as it is. So a listing is kept only when it was made well after its time was first
seen; what changes later gets another time. Ours is the clock that measures "well after", and only how long something
took: the clock that stamps the folder may be another host's, and wrong.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 0.1
"""More than a tick of the clocks that stamp files: they are a few ms apart."""

_COARSE_TICK_S = 5.0
"""The same for file systems that keep whole seconds, or every other one."""


_ID_LENGTH = 32


@dataclass(slots=True)
class _Folder:
    """What is known of a folder."""

    mtime_ns: int
    seen_s: float
    """When the time was first seen, by `now_s`."""
    by_id: dict[str, list[str]] | None = None
    """The names in it by the ids they tell, once that is settled."""


class Listings:
    """The names in folders below one, which tell ids between dots. Safe from threads: references are replaced."""

    def __init__(self, root: Path, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._root = str(root)
        self._now_s = now_s
        self._known: dict[str, _Folder] = {}

    def telling(self, folder: str, wanted: str) -> Sequence[str]:
        """Return the sorted names in a folder that tell an id; none when there is no such folder. Raises `OSError`."""
        try:
            # Opened, not only looked at: network file systems then ask the server.
            descriptor = os.open(f"{self._root}/{folder}", os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return ()
        try:
            mtime_ns, now_s = os.fstat(descriptor).st_mtime_ns, self._now_s()
            known = self._known.get(folder)
            if known is None or known.mtime_ns != mtime_ns:
                known = self._known[folder] = _Folder(mtime_ns=mtime_ns, seen_s=now_s)
            if known.by_id is None:
                with os.scandir(descriptor) as entries:
                    names = [entry.name for entry in entries]
                if now_s - known.seen_s <= (_TICK_S if mtime_ns % 1_000_000_000 else _COARSE_TICK_S):
                    return sorted(name for name in names if wanted in name)
                known.by_id = _by_id(names)
            return known.by_id.get(wanted, ())
        finally:
            os.close(descriptor)


def _by_id(names: list[str]) -> dict[str, list[str]]:
    by_id: dict[str, list[str]] = {}
    for name in sorted(names):
        for told in {*name.split(".")}:
            if len(told) == _ID_LENGTH:
                by_id.setdefault(told, []).append(name)
    return by_id
