"""Which files in a watched library are completely written, and when so many as there are make a batch.

Pure but for reading each file's stamp; the caller passes the time.
"""

from collections.abc import Callable

from pipeline.library.tracks import FileStamp

SETTLE_S = 3.0
"""How long size and time of a file must stay as they are before it counts as completely written."""

OPEN_S = 120.0
"""The same for a file that somebody writes to and has not closed: a download may stall for long."""

BATCH_S = 15.0
"""How long a file waits for others that still arrive."""

BATCH_FILES = 500

Stat = Callable[[str], FileStamp | None]
"""Returns a file's stamp, or None when there is no such file any more."""


class _Arrival:
    """A file that was noted and is not ready."""

    __slots__ = ("since_s", "stamp", "written")

    def __init__(self, stamp: FileStamp, now_s: float) -> None:
        self.stamp = stamp
        self.since_s = now_s
        self.written = False


class Arrivals:
    """The files of a library that are new or changed; times are of a monotonic clock, in seconds."""

    def __init__(self, stat: Stat, *, settle_s: float = SETTLE_S, reports_close: bool = True) -> None:
        self._stat = stat
        self._settle_s = settle_s
        self._reports_close = reports_close
        self._arriving: dict[str, _Arrival] = {}
        self._ready: dict[str, FileStamp] = {}
        self._ready_s = 0.0

    def note(self, path: str, now_s: float, *, written: bool = False) -> None:
        """Note a file that is new or changed; `written` while somebody has it open and writes to it."""
        stamp = self._stat(path)
        if stamp is None:
            self.forget(path)
            return
        known = self._arriving.get(path)
        if known is None or not known.stamp.matches(stamp):
            written = written or (known is not None and known.written)
            known = self._arriving[path] = _Arrival(stamp, now_s)
        known.written = (known.written or written) and self._reports_close
        self._ready.pop(path, None)

    def note_close(self, path: str, now_s: float) -> None:
        """Note that whoever wrote to a file has closed it."""
        self.note(path, now_s)
        if path in self._arriving:
            self._arriving[path].written = False

    def forget(self, path: str) -> None:
        """Forget a file that is no longer there."""
        self._arriving.pop(path, None)
        self._ready.pop(path, None)

    def forget_below(self, folder: str) -> None:
        """Forget all files in a folder that is not there."""
        for path in [*self._arriving, *self._ready]:
            if path.startswith(f"{folder.rstrip('/')}/"):
                self.forget(path)

    def batch(self, now_s: float) -> dict[str, FileStamp]:
        """Return the files to be extracted now, with their stamps; none while it is better to wait for more."""
        for path, arrival in list(self._arriving.items()):
            if now_s - arrival.since_s >= (OPEN_S if arrival.written else self._settle_s):
                self._check(path, arrival, now_s)
        if not self._ready:
            return {}
        if self._arriving and len(self._ready) < BATCH_FILES and now_s - self._ready_s < BATCH_S:
            return {}
        batch, self._ready = self._ready, {}
        return batch

    def _check(self, path: str, arrival: _Arrival, now_s: float) -> None:
        stamp = self._stat(path)
        if stamp is None:
            self.forget(path)
        elif not arrival.stamp.matches(stamp):
            arrival.stamp, arrival.since_s = stamp, now_s
        else:
            del self._arriving[path]
            if not self._ready:
                self._ready_s = now_s
            self._ready[path] = stamp
