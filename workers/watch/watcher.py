"""`chordal watch`: extract what comes into some libraries, for as long as it runs."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime

from pipeline.errors import ChordalError
from pipeline.library.labels import parse_sources
from pipeline.library.scan import scan, stamp_of
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.text import printable
from storage.home import Home, home_lock
from workers.broker import health
from workers.processes import signals
from workers.processes.cluster import LocalCluster, local_cluster
from workers.runs.kernel_notice import kernel_notice
from workers.runs.progress import View
from workers.watch.arrivals import Arrivals
from workers.watch.folders import FileChange, FolderObserver
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
    scan(libraries, may_be_empty=True)  # checks at once that the folders are there
    if broker is not None:
        health.require_for_run(broker)
    observer = FolderObserver(libraries, poll_s=request.poll_s)
    watcher: LibraryWatcher | None = None
    try:
        # Before the first walk: what comes while it goes on is noticed.
        how = observer.open()
        # With a private broker the home is this command's; with one of the user's it is taken for each batch, so that
        # nightly runs have their turn.
        lock = home_lock(home.path, purpose="watching") if broker is None else nullcontext()
        with (
            lock,
            kernel_notice(home.path, view.line),
            local_cluster(home.path, broker, request.run.workers) as cluster,
        ):
            view.line(f"watching {', '.join(map(printable, libraries))} {how}; Ctrl-C ends it")
            watcher = LibraryWatcher(home, request, view, observer, cluster)
            watcher.run()
    except KeyboardInterrupt:
        view.line("stopped watching; what was finished is kept, and the next start catches up")
    finally:
        observer.close()
    return watcher.summary if watcher is not None else WatchSummary()


class LibraryWatcher:
    """Turns the changes in some libraries into updates of a home."""

    def __init__(
        self, home: Home, request: WatchRequest, view: View, observer: FolderObserver, cluster: LocalCluster
    ) -> None:
        run = request.run
        self._libraries = run.libraries
        self._settle_s = request.settle_s
        self._view = view
        self._observer = observer
        self._cluster = cluster
        self._arrivals = Arrivals(stamp_of, settle_s=request.settle_s, reports_close=observer.reports_close)
        self._updates = HomeUpdates(home, request, cluster, self._show)
        self._sources = parse_sources(labels=run.labels, groups=run.groups, folds=run.folds, libraries=run.libraries)
        self._removed: set[str] = set()
        self._next_walk_s = 0.0

    @property
    def summary(self) -> WatchSummary:
        """What was done so far."""
        return self._updates.summary

    def run(self) -> None:
        """Wait, and extract what comes, until a signal raises `KeyboardInterrupt`."""
        pause = threading.Event()
        while True:
            signals.check()
            for name in self._cluster.heal():
                self._view.line(f"the {name} process died and was started again")
            for change in self._observer.changes():
                self._note(change)
            self._updates.remove(self._removed)
            self._removed.clear()
            if time.monotonic() >= self._next_walk_s:
                self._next_walk_s = time.monotonic() + WALK_S
                self._extract(self._walk())
            elif batch := self._arrivals.batch(time.monotonic()):
                self._extract(self._track(path, stamp) for path, stamp in batch.items())
            pause.wait(TICK_S)

    def _note(self, change: FileChange) -> None:
        now_s = time.monotonic()
        if self._is_hidden(change.path):
            return
        if change.kind == "folder":
            self._note_folder(change.path, now_s)
        elif change.kind in {"deleted", "moved"}:
            self._arrivals.forget(change.path)
            if change.kind == "deleted":
                self._removed.add(change.path)
        elif change.kind == "closed":
            self._arrivals.note_close(change.path, now_s)
        else:
            self._arrivals.note(change.path, now_s, written=change.kind == "written")

    def _note_folder(self, folder: str, now_s: float) -> None:
        """Note all files in a folder that came as a whole."""
        if how := self._observer.check_new_folders():
            self._show(f"goes on watching {how}")
            self._next_walk_s = 0.0
        try:
            for track in scan([folder], may_be_empty=True):
                self._arrivals.note(track.path, now_s)
        except ChordalError:
            return  # gone again

    def _walk(self) -> Iterator[ScannedTrack]:
        """Yield every file of the libraries but those that are being written just now."""
        young_ns = int(self._settle_s * 1e9)
        for track in scan(
            self._libraries,
            labels=self._sources.labels,
            groups=self._sources.groups,
            folds=self._sources.folds,
            may_be_empty=True,
        ):
            if time.time_ns() - track.stamp.mtime_ns < young_ns:
                self._arrivals.note(track.path, time.monotonic())
            else:
                yield track

    def _track(self, path: str, stamp: FileStamp) -> ScannedTrack:
        sources = self._sources
        return ScannedTrack(
            track_id=track_id(path),
            path=path,
            stamp=stamp,
            label=sources.labels.label(path),
            group=sources.groups.label(path) if sources.groups else None,
            fold=sources.folds.label(path) if sources.folds else None,
        )

    def _extract(self, tracks: Iterable[ScannedTrack]) -> None:
        if not self._updates.extract(tracks):
            self._next_walk_s = time.monotonic() + RETRY_S

    def _is_hidden(self, path: str) -> bool:
        root = next((each for each in self._libraries if path.startswith(f"{each}/")), "")
        return any(name.startswith(".") for name in path.removeprefix(root).split("/"))

    def _show(self, text: str) -> None:
        self._view.line(f"{datetime.now().astimezone():%H:%M:%S} {text}")
