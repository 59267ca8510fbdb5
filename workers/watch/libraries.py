"""The libraries of a watch: each is observed while it is there, and awaited while it is not.

One thread sees to it, whatever the watch is busy with. It asks for each library a thread of its own, which looks at it:
a server that is dead holds whoever asks about its files, and nobody else.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.errors import UsageError
from pipeline.plans.scan_rules import DEFAULT, ScanRules
from pipeline.text import printable
from workers.watch import places
from workers.watch.changes import FileChange
from workers.watch.folders import FolderObserver
from workers.watch.places import Place, PlaceChange, Places, Presence

TICK_S = 0.25

LOOK_S = 1.0
"""Seconds between two looks at a library."""

SLOW_S = 0.5
"""How long a look may take before nothing new is begun with its library."""

HANG_S = 10.0
"""How long a look may take before its library counts as not there."""

PLACES = 100
"""Of how many folders that could not be looked into it is awaited that they can be."""

LOSSES = {
    "overflow": "more changed at once than the system keeps for us (fs.inotify.max_queued_events), so it is walked",
    "ended": "the watch ended and was begun again",
    "exchanged": "folders took each other's place, so the watch was begun again",
    "limit": "there are more folders now than the kernel watches",
}
"""What is shown when not all changes were observed."""

UNMOUNTED = "it was unmounted"

Show = Callable[[str], None]
"""Shows a line; called in the monitor's thread."""


class LibraryProbe(threading.Thread):
    """Looks at a library every second, from `start` to `stop`."""

    def __init__(self, library: str) -> None:
        super().__init__(name=f"look at {library}", daemon=True)
        self.more: tuple[str, ...] = ()
        """Folders in it that are looked at as well."""
        self.began_s = time.monotonic()
        """When the look that goes on began, or the last one."""
        self.seen: Places = places.look(library)
        self.seen_s = self.began_s
        """When the last look that is over began."""
        self._library = library
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopped.wait(LOOK_S):
            self.began_s = time.monotonic()
            self.seen = places.look(self._library, self.more)
            self.seen_s = self.began_s

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()


class _Library:
    """A library, how it is observed, and whether it is there."""

    def __init__(self, path: str, *, poll_s: float | None, rules: ScanRules) -> None:
        self.path = path
        self.observer = FolderObserver(path, poll_s=poll_s, rules=rules)
        self.probe = LibraryProbe(path)
        self.presence = Presence(path, self.probe.seen)
        self.loss_s: float | None = None
        """Since when it is known that not everything is observed."""
        self.checked_s = 0.0
        """When the last look began whose changes are known."""

    @property
    def delay_s(self) -> float:
        """How long the look at it takes that goes on; 0 when none does."""
        began_s = self.probe.began_s
        return time.monotonic() - began_s if self.probe.seen_s < began_s else 0.0


class LibraryMonitor:
    """Keeps libraries observed from `open` to `close`; says when one goes and when it is back."""

    def __init__(
        self, libraries: Sequence[str], show: Show, *, poll_s: float | None = None, rules: ScanRules = DEFAULT
    ) -> None:
        self._libraries = {path: _Library(path, poll_s=poll_s, rules=rules) for path in libraries}
        self._show = show
        self._changes: queue.SimpleQueue[FileChange] = queue.SimpleQueue()
        self._unreadable: queue.SimpleQueue[tuple[str, dict[str, str]]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="libraries", daemon=True)
        self._error: BaseException | None = None
        self.absences = 0
        """How many times a library, or what is mounted in it, was not there."""

    def open(self) -> list[str]:
        """Begin to observe, and return in words which libraries are observed how.

        Raises `UsageError` for one that cannot be observed.
        """
        by_how: dict[str, list[_Library]] = {}
        for library in self._libraries.values():
            try:
                how = library.observer.open()
            except OSError as error:
                raise UsageError(f"cannot watch the libraries: {error}; try again with --poll SECONDS") from error
            by_how.setdefault(how, []).append(library)
            library.probe.start()
        self._thread.start()
        return [
            f"{', '.join(printable(library.path) for library in libraries)} {_describe_way(how, libraries)}"
            for how, libraries in by_how.items()
        ]

    def close(self) -> None:
        """Observe no more."""
        self._stopped.set()
        for library in self._libraries.values():
            library.probe.stop()
        if self._thread.is_alive():
            self._thread.join(10)
        for library in self._libraries.values():
            library.observer.close()

    def changes(self) -> Iterator[FileChange]:
        """Yield the changes since the last call, oldest first. Raises what broke the monitor's thread."""
        if self._error is not None:
            raise self._error
        while True:
            try:
                yield self._changes.get_nowait()
            except queue.Empty:
                return

    def checked_s(self) -> dict[str, float]:
        """Return of each library when the last look at it began whose changes `changes` has, on the monotonic clock."""
        return {path: library.checked_s for path, library in self._libraries.items()}

    def missing(self) -> dict[str, str]:
        """Return the libraries, and the places in them, that are not there, with the reason."""
        return {
            path: reason
            for library in self._libraries.values()
            for path, reason in list(library.presence.missing.items())
        }

    def present(self) -> list[str]:
        """Return the libraries that are there, and answer."""
        return [
            path for path, library in self._libraries.items() if library.presence.is_there and library.delay_s < SLOW_S
        ]

    def filled(self) -> list[str]:
        """Return the libraries that are there and not empty: of any others workers take no files."""
        return [path for path in self.present() if self._libraries[path].probe.seen[path].is_filled]

    def await_folders(self, library: str, reasons: dict[str, str]) -> None:
        """Say which folders in a library could not be looked into, and await that they can be."""
        self._unreadable.put((library, reasons))

    def _run(self) -> None:
        try:
            while not self._stopped.wait(TICK_S):
                while not self._unreadable.empty():
                    self._miss(*self._unreadable.get_nowait())
                for library in self._libraries.values():
                    self._update(library)
        except BaseException as error:  # noqa: BLE001 - raised where the watch asks for changes
            self._error = error

    def _miss(self, path: str, reasons: dict[str, str]) -> None:
        library = self._libraries[path]
        missing = library.presence.missing
        new = {path: reason for path, reason in reasons.items() if path not in missing and path != library.path}
        for folder, reason in list(new.items())[: PLACES - len(missing)]:
            library.presence.miss(folder, reason)
            self._note_gone(library, folder, reason)

    def _update(self, library: _Library) -> None:
        """Pass on what was observed, and see whether the library is there and still observed."""
        for change in library.observer.changes():
            self._changes.put(change)
        seen, seen_s = library.probe.seen, library.probe.seen_s
        if library.delay_s > HANG_S:
            seen, seen_s = {library.path: Place(reason="it does not answer")}, library.checked_s
        elif seen_s <= library.checked_s:
            return
        self._follow(library, library.presence.update(seen), seen_s)
        library.probe.more = tuple(path for path in library.presence.missing if path != library.path)
        library.checked_s = seen_s  # only now: whoever reads it finds the changes

    def _follow(self, library: _Library, changes: list[PlaceChange], seen_s: float) -> None:
        """Do and show what follows from the changes of a library's places."""
        for change in changes:
            if change.kind == "gone":
                self._note_gone(library, change.path, change.reason)
        came = [change for change in changes if change.kind != "gone"]
        if not library.presence.is_there:
            library.observer.close()
        elif came or (changes and library.observer.loss == "unmounted"):
            if how := self._reopen(library):
                for change in came:
                    self._show(f"{_describe(library, change)}; watching {how}")
        else:
            self._mend(library, seen_s)

    def _note_gone(self, library: _Library, path: str, reason: str) -> None:
        self.absences += 1
        why = "" if reason == places.NO_FOLDER else f": {reason}"
        self._show(f"{_name(library, path)} is not there{why}; waiting")
        self._changes.put(FileChange(kind="gone", path=path))

    def _mend(self, library: _Library, seen_s: float) -> None:
        """Begin again to observe a library that is there, if not everything is observed any more."""
        loss = library.observer.loss
        if loss is None:
            return
        if library.loss_s is None:
            library.loss_s = time.monotonic()
        if seen_s <= library.loss_s:
            return  # a library that went is the better explanation, and the next look shows it
        if loss in {"unmounted", "replaced"}:
            self._note_gone(library, library.path, UNMOUNTED if loss == "unmounted" else places.REPLACED)
        if how := self._reopen(library):
            words = f": {LOSSES[loss]}" if loss in LOSSES else " is back"
            self._show(f"{_name(library, library.path)}{words}; watching {how}")

    def _reopen(self, library: _Library) -> str:
        """Observe what has the library's name now, and return in words how; nothing when it went again."""
        library.observer.close()
        library.loss_s = None
        try:
            return _describe_way(library.observer.open(), [library])
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            library.presence.miss(library.path, reason)
            self._note_gone(library, library.path, reason)
            return ""


def _name(library: _Library, path: str) -> str:
    return f"library {printable(path)}" if path == library.path else f"folder {printable(path)}"


def _describe_way(how: str, libraries: Iterable[_Library]) -> str:
    """Return in words how libraries are observed, with the number of their folders where the kernel has one."""
    folders = [library.observer.folders for library in libraries]
    known = [each for each in folders if each is not None]
    return f"{how} ({sum(known)} {'folder' if sum(known) == 1 else 'folders'})" if known == folders else how


def _describe(library: _Library, change: PlaceChange) -> str:
    """Return in words that a place came."""
    if change.kind == "back":
        return f"{_name(library, change.path)} is back"
    return f"another file system is mounted at {printable(change.path)} now"
