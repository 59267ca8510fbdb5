"""`chordal watch`: extract what comes into some libraries, for as long as it runs."""

import math
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime

from pipeline.errors import ChordalError
from pipeline.library.cue.albums import is_sheet, sheets_folder_files
from pipeline.library.folders.left_out import (
    NOTHING,
    LeftOut,
    LeftOutTally,
    describe_left_out,
    describe_unreadable,
    sum_left_out,
)
from pipeline.library.folders.path_filter import PathFilter
from pipeline.library.folders.walk import stamp_of, walk
from pipeline.library.labels import parse_sources
from pipeline.library.scan import scan, tracks_of
from pipeline.library.tracks import FileStamp, ScannedTrack
from pipeline.text import printable
from storage.home import Home, home_lock
from workers.broker import health
from workers.processes import signals
from workers.processes.cluster import LocalCluster, local_cluster
from workers.processes.kernel_notice import kernel_notice
from workers.runs.progress import View
from workers.watch.arrivals import Arrivals
from workers.watch.changes import FileChange
from workers.watch.libraries import LibraryMonitor
from workers.watch.notices import WatchNotices
from workers.watch.places import look_into
from workers.watch.request import WatchRequest, WatchSummary
from workers.watch.updates import RETRY_S, HomeUpdates

TICK_S = 0.25

WALK_S = 3600.0
"""How often the libraries are walked, for changes that were not observed: links, other hosts, events that were lost."""


def watch(home: Home, request: WatchRequest, view: View) -> WatchSummary:
    """Extract what comes until a signal asks to stop; return what was done.

    Raises `UsageError` for a library that is no folder, `BrokerError` when there is no broker to work with.
    """
    libraries, broker = request.run.libraries, request.run.broker
    # Checks at once that the folders are there, and that the patterns are some.
    scan(libraries, rules=request.run.rules, may_be_empty=True)
    if broker is not None:
        health.require_for_run(broker)
    monitor = LibraryMonitor(libraries, lambda text: _show(view, text), poll_s=request.poll_s, rules=request.run.rules)
    watcher: LibraryWatcher | None = None
    try:
        # Before the first walk: what comes while it goes on is noticed.
        observed = monitor.open()
        # With a private broker the home is this command's; with one of the user's it is taken for each batch, so that
        # nightly runs have their turn.
        lock = home_lock(home.path, purpose="watching") if broker is None else nullcontext()
        with (
            lock,
            kernel_notice(home.path, view.line),
            local_cluster(home.path, broker, request.run.workers) as cluster,
        ):
            for words in observed:
                view.line(f"watching {words}; Ctrl-C ends it")
            watcher = LibraryWatcher(home, request, view, monitor, cluster)
            watcher.run()
    except KeyboardInterrupt:
        away = "".join(f"; {printable(path)} was not there" for path in monitor.missing())
        view.line(f"stopped watching; what was finished is kept, and the next start catches up{away}")
    finally:
        monitor.close()
    return watcher.summary if watcher is not None else WatchSummary()


class LibraryWatcher:
    """Turns the changes in some libraries into updates of a home."""

    def __init__(
        self, home: Home, request: WatchRequest, view: View, monitor: LibraryMonitor, cluster: LocalCluster
    ) -> None:
        run = request.run
        self._libraries = tuple(dict.fromkeys(run.libraries))
        self._settle_s = request.settle_s
        self._view = view
        self._monitor = monitor
        self._cluster = cluster
        self._arrivals = Arrivals(self._stamp, settle_s=request.settle_s)
        notices = WatchNotices(home, request.notify, monitor.missing)
        self._updates = HomeUpdates(home, request, cluster, lambda text: _show(view, text), notices)
        self._sources = parse_sources(
            labels=run.labels,
            groups=run.groups,
            folds=run.folds,
            libraries=run.libraries,
            vocabulary=run.rules.folding,
        )
        for remark in (f"{printable(table.source)}: {note}" for table in self._sources.tables for note in table.notes):
            view.line(remark)
        self._rules = run.rules
        self._filter = PathFilter(self._libraries, run.rules)
        self._missed: dict[str, LeftOut] = {}
        self._unreadable: dict[str, tuple[str, ...]] = {}
        self._removed: dict[str, float] = {}
        # Until a library's monitor asks for its first walk.
        self._next_walk_s = dict.fromkeys(self._libraries, math.inf)

    @property
    def summary(self) -> WatchSummary:
        """What was done so far."""
        return self._updates.summary.replace(
            absences=self._monitor.absences,
            unreadable=tuple(each for library in self._libraries for each in self._unreadable.get(library, ())),
            left_out=sum_left_out(self._missed.values()),
        )

    def run(self) -> None:
        """Wait, and extract what comes, until a signal raises `KeyboardInterrupt`."""
        pause = threading.Event()
        while True:
            signals.check()
            for death in self._cluster.heal():
                self._view.line(f"the {death.name} process died and was started again ({death.reason})")
            checked_s = self._monitor.checked_s()  # first, so that what those looks found is among the changes
            for change in self._monitor.changes():
                self._note(change)
            self._remove(checked_s)
            now_s = time.monotonic()
            due = [each for each in self._monitor.present() if now_s >= self._next_walk_s[each]]
            if due:
                self._next_walk_s |= dict.fromkeys(due, now_s + WALK_S)
                self._extract(self._walk(due), due)
            elif batch := self._arrivals.batch(now_s):
                tracks = list(tracks_of(sorted(batch.items()), self._sources, self._rules))
                self._updates.remove_other_tracks(tracks)
                self._extract(tracks, {root for path in batch if (root := self._library_of(path))})
            pause.wait(TICK_S)

    def _note(self, change: FileChange) -> None:
        now_s = time.monotonic()
        if change.kind == "walk":
            self._next_walk_s[change.path] = now_s
        elif change.kind == "gone":
            self._arrivals.forget_below(change.path)
            self._removed = {path: s for path, s in self._removed.items() if not _is_in(path, change.path)}
        elif not self._filter.leaves_out(change.path, self._library_of(change.path), is_folder=change.kind == "folder"):
            self._note_file(change, now_s)
        elif change.kind == "deleted" and not _has_hidden_name(change.path, self._library_of(change.path)):
            self._removed[change.path] = now_s  # it may have been scanned before it was excluded

    def _note_file(self, change: FileChange, now_s: float) -> None:
        if change.kind != "folder" and is_sheet(change.path):
            for path in sheets_folder_files(change.path):  # which may be cut otherwise now
                self._arrivals.note(path, now_s)
        elif change.kind == "folder":
            self._note_folder(change.path, now_s)
        elif change.kind in {"deleted", "moved"}:
            self._arrivals.forget(change.path)
            if change.kind == "deleted":
                self._removed[change.path] = now_s
        elif change.kind == "closed":
            self._arrivals.note_close(change.path, now_s)
        else:
            self._arrivals.note(change.path, now_s, written=change.kind == "written")

    def _note_folder(self, folder: str, now_s: float) -> None:
        """Note all files in a folder that came as a whole."""
        try:
            above = self._filter.patterns_above(folder, self._library_of(folder))
            # The library's own patterns are among those above it.
            for path, _ in walk([folder], _ignored, self._rules.replace(exclude=()), patterns=above):
                self._arrivals.note(path, now_s)
        except ChordalError:
            return  # gone again

    def _remove(self, checked_s: dict[str, float]) -> None:
        """Mark what was removed from a library that was still there afterwards, and not unmounted."""
        missing = self._monitor.missing()
        gone: dict[str, list[str]] = {}
        for path, noted_s in list(self._removed.items()):
            library = self._library_of(path)
            if any(_is_in(path, place) for place in missing):
                del self._removed[path]
            elif checked_s.get(library, math.inf) > noted_s:
                del self._removed[path]
                gone.setdefault(library, []).append(path)
        for library, paths in gone.items():
            self._updates.remove(library, paths)

    def _walk(self, libraries: Sequence[str]) -> Iterator[ScannedTrack]:
        """Yield every file of some libraries but those that are being written just now."""
        young_ns = int(self._settle_s * 1e9)
        unreadable: dict[str, str] = {}
        left_out = LeftOutTally()
        self._filter.forget()
        for track in scan(
            libraries,
            sources=self._sources,
            rules=self._rules,
            on_problem=unreadable.__setitem__,
            may_be_empty=True,
            left_out=left_out,
        ):
            if time.time_ns() - track.stamp.mtime_ns < young_ns:
                self._arrivals.note(track.file_path, time.monotonic())
            else:
                yield track
        self._tell_missed(libraries, unreadable, left_out.total())
        for library in libraries:
            folders = {
                path: reason
                for path, reason in unreadable.items()
                if self._library_of(path) == library and _is_folder(path)
            }
            self._monitor.await_folders(library, folders)

    def _tell_missed(self, libraries: Sequence[str], unreadable: dict[str, str], left_out: LeftOut) -> None:
        """Show what a walk through some libraries left out and could not read, unless the last one did the same."""
        problems = tuple(f"{printable(path)}: {reason}" for path, reason in unreadable.items())
        known = {each for library in libraries for each in self._unreadable.get(library, ())}
        lines = describe_unreadable(tuple(each for each in problems if each not in known))
        if sum_left_out(self._missed.get(library, NOTHING) for library in libraries) != left_out:
            lines += describe_left_out(left_out)
        for library in libraries:
            self._missed.pop(library, None)
            self._unreadable[library] = tuple(
                words for path, words in zip(unreadable, problems, strict=True) if self._library_of(path) == library
            )
        self._missed[libraries[0]] = left_out
        for line in lines:
            _show(self._view, line)

    def _stamp(self, path: str) -> FileStamp | None:
        """Return the stamp of a file; while its library does not answer one of no file, which settles nothing."""
        if self._library_of(path) in self._monitor.present():
            return stamp_of(path)
        return FileStamp(size_bytes=0, mtime_ns=time.monotonic_ns())

    def _extract(self, tracks: Iterable[ScannedTrack], libraries: Iterable[str]) -> None:
        """Extract files of some libraries; walk these soon when that failed."""
        # The last look at them may be older than what came into them first.
        filled = {*self._monitor.filled(), *(library for library in libraries if look_into(library).is_filled)}
        if not self._updates.extract([library for library in self._libraries if library in filled], tracks):
            retry_s = time.monotonic() + RETRY_S
            self._next_walk_s |= {library: min(retry_s, self._next_walk_s[library]) for library in libraries}

    def _library_of(self, path: str) -> str:
        """Return the innermost library that a path is in, or an empty string."""
        return max((library for library in self._libraries if _is_in(path, library)), key=len, default="")


def _has_hidden_name(path: str, library: str) -> bool:
    return any(name.startswith(".") for name in path.removeprefix(library).split("/"))


def _ignored(_path: str, _reason: str) -> None:
    pass


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _is_folder(path: str) -> bool:
    """Tell whether something is a folder, or what nobody can see, which may be one; links wait for the next walk."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _show(view: View, text: str) -> None:
    view.line(f"{datetime.now().astimezone():%H:%M:%S} {text}")
