"""`chordal watch`: extract what comes into some libraries, for as long as it runs.

Each batch is a small run of its own, without learning: it has a plan, shards and seals in the ledger as any other, is
healed by the same sweep and shown by the same commands. What is missing is always asked of the store: whoever starts
it again after any time catches up, and a batch that was broken off is made whole by the next.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime
from itertools import chain
from pathlib import Path

from pipeline.errors import ChordalError
from pipeline.library.labels import parse_sources
from pipeline.library.scan import scan, stamp_of
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.run import RunPlan
from pipeline.text import printable
from pipeline.wire import Value
from storage.home import Home, InUseError, only_one
from workers.app import task_results
from workers.broker import health
from workers.broker.health import BROKER_ERRORS
from workers.extraction import removals, settled
from workers.processes import signals
from workers.processes.cluster import LocalCluster, local_cluster
from workers.runs import execute, request
from workers.runs import scan as runs_scan
from workers.runs.progress import View
from workers.runs.state import RunState
from workers.watch.arrivals import SETTLE_S, Arrivals
from workers.watch.folders import FileChange, FolderObserver

TICK_S = 0.25

WALK_S = 3600.0
"""How often the libraries are walked as a whole, for what nobody told: links, other hosts, events that were dropped."""


AGAIN_S = 60.0
"""How long after a batch that failed the libraries are walked again."""

ERRORS = (ChordalError, *BROKER_ERRORS)


class WatchRequest(Value, frozen=True, kw_only=True):
    """What `chordal watch` was asked for."""

    wanted: "request.RunRequest"
    poll_s: float | None = None
    """Look so often instead of asking the kernel; None to ask the kernel where that works."""
    settle_s: float = SETTLE_S
    learn_after: int | None = None
    """Start learning when so many tracks are in that no model has seen; None for never."""


class WatchSummary(Value, frozen=True, kw_only=True):
    """What a watch did until it was stopped."""

    batches: int = 0
    extracted: int = 0
    unchanged: int = 0
    failed: int = 0
    removed: int = 0
    learned: int = 0
    """Runs that learned."""


def watch(home: Path, asked: WatchRequest, view: View) -> WatchSummary:
    """Extract what comes until a signal asks to stop; return what was done.

    Raises `UsageError` for a library that is no folder, `BrokerError` when there is no broker to work with.
    """
    wanted = asked.wanted
    for _ in scan(wanted.libraries, may_be_empty=True):
        break  # only checked that the folders are there
    if wanted.broker is not None:
        health.require(wanted.broker)
    eyes = FolderObserver(wanted.libraries, poll_s=asked.poll_s)
    attendant: LibraryWatcher | None = None
    try:
        # Before the first walk: what comes while it goes on is heard of.
        how = eyes.open()
        # With a private broker the home is this command's; with one of the user's it is taken for each batch, so that
        # nightly runs have their turn.
        mine = only_one(home, doing="watching") if wanted.broker is None else nullcontext()
        with mine, local_cluster(home, wanted.broker, wanted.workers) as opened:
            view.line(f"watching {', '.join(map(printable, wanted.libraries))} {how}; Ctrl-C ends it")
            attendant = LibraryWatcher(home, asked, view, eyes, opened)
            attendant.attend()
    except KeyboardInterrupt:
        view.line("stopped watching; what was finished is kept, and the next start catches up")
    finally:
        eyes.close()
    return attendant.told if attendant is not None else WatchSummary()


class LibraryWatcher:
    """Who waits at the door of the libraries."""

    def __init__(self, home: Path, asked: WatchRequest, view: View, eyes: FolderObserver, opened: LocalCluster) -> None:
        self.told = WatchSummary()
        self._home = home
        self._context = Home(home)
        self._asked = asked
        self._wanted = asked.wanted
        self._view = view
        self._eyes = eyes
        self._session = opened
        self._arrivals = Arrivals(stamp_of, settle_s=asked.settle_s, tells_closing=eyes.tells_closing)
        self._gone: set[str] = set()
        self._unlearned = 0
        self._walk_s = -WALK_S
        self._sources = parse_sources(
            labels=self._wanted.labels,
            groups=self._wanted.groups,
            folds=self._wanted.folds,
            libraries=self._wanted.libraries,
        )

    def attend(self) -> None:
        """Wait, and extract what comes, until a signal raises `KeyboardInterrupt`."""
        pause = threading.Event()
        while True:
            signals.check()
            for name in self._session.heal():
                self._view.line(f"the {name} process died and was started again")
            for seen in self._eyes.changes():
                self._take_note(seen)
            self._tell_removed()
            if time.monotonic() - self._walk_s >= WALK_S:
                self._walk_s = time.monotonic()
                self._extract(self._walked())
            elif batch := self._arrivals.batch(time.monotonic()):
                self._extract(self._track(path, stamp) for path, stamp in batch.items())
            pause.wait(TICK_S)

    def _take_note(self, seen: FileChange) -> None:
        now_s = time.monotonic()
        if self._is_hidden(seen.path):
            return
        if seen.change == "folder":
            self._hear_of_folder(seen.path, now_s)
        elif seen.change in {"gone", "left"}:
            self._arrivals.gone(seen.path)
            if seen.change == "gone":
                self._gone.add(seen.path)
        elif seen.change == "closed":
            self._arrivals.closed(seen.path, now_s)
        else:
            self._arrivals.heard_of(seen.path, now_s, written=seen.change == "written")

    def _hear_of_folder(self, folder: str, now_s: float) -> None:
        """Take note of all files in a folder that came as a whole."""
        if how := self._eyes.reopen():
            self._say(f"goes on watching {how}")
            self._walk_s = -WALK_S
        try:
            for track in scan([folder], may_be_empty=True):
                self._arrivals.heard_of(track.path, now_s)
        except ChordalError:
            return  # gone again

    def _walked(self) -> Iterator[ScannedTrack]:
        """Yield every file of the libraries but those that are being written just now."""
        young_ns = int(self._asked.settle_s * 1e9)
        for track in scan(
            self._wanted.libraries,
            labels=self._sources.labels,
            groups=self._sources.groups,
            folds=self._sources.folds,
            may_be_empty=True,
        ):
            if time.time_ns() - track.stamp.mtime_ns < young_ns:
                self._arrivals.heard_of(track.path, time.monotonic())
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
        """Extract what the store lacks of some files, as one run; nothing is begun when it lacks nothing."""
        missing = self._missing(tracks)
        first = next(missing, None)
        if first is None:
            return
        try:
            with self._turn():
                plan = request.plan_run(self._wanted.replace(learn=False), self._context.ledger)
                found = runs_scan.write_shards(self._context, plan, tracks=chain([first], missing))
                self._carry_out(request.ScannedRun(plan=plan, found=found))
        except ERRORS as error:
            self._say(f"{' '.join(str(error).split())}; tried again in {AGAIN_S:.0f} s")
            self._walk_s = time.monotonic() - WALK_S + AGAIN_S
            return
        counts = RunState.read(self._context, plan.run_id).tracks
        self.told = self.told.replace(
            batches=self.told.batches + 1,
            **{name: getattr(self.told, name) + count for name, count in counts.items()},
        )
        words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        self._say(f"{found.files} {'file' if found.files == 1 else 'files'}: {words}")
        self._unlearned += counts["extracted"]
        if self._asked.learn_after is not None and self._unlearned >= self._asked.learn_after:
            self._learn()

    def _missing(self, tracks: Iterable[ScannedTrack]) -> Iterator[ScannedTrack]:
        snapshot = self._context.store.snapshot()
        recipe = self._wanted.recipe
        plan = RunPlan(
            run_id="", command=(), libraries=(), recipe=recipe, labels="", groups=None, folds=None,
            seed=0, sequence=0, created="",
        )  # fmt: skip
        keys = settled.family_keys(plan)
        for track in tracks:
            if not settled.is_settled(track, snapshot, keys, settled.copies_wanted(plan, track)):
                yield track

    def _learn(self) -> None:
        """Learn from all that is there; what cannot be learned from yet is said, and tried again with more."""
        self._unlearned = 0
        self._say("learning begins")
        try:
            with self._turn():
                with View(quiet=True) as quiet:
                    champion = self._context.champions.current()
                    against = champion.version if champion is not None else None
                    finished = runs_scan.scan_libraries(
                        self._context, self._wanted.replace(learn=True, against=against), quiet
                    )
                self._carry_out(finished)
        except ERRORS as error:
            self._say(f"nothing learned: {' '.join(str(error).split())}")
            return
        self.told = self.told.replace(learned=self.told.learned + 1)
        report = self._context.ledger.report(finished.plan.run_id)
        if report is not None:
            verdict = self._context.champions.verdict(report.model.version)
            self._say(f"learned {task_results.finished(report, verdict)!r}")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the home for a batch, as soon as nobody else does."""
        pause = threading.Event()
        with ExitStack() as held:
            while self._wanted.broker is not None:
                try:
                    held.enter_context(only_one(self._home, shared=True, doing="watching"))
                    break
                except InUseError:
                    signals.check()
                    pause.wait(1.0)
            yield

    def _carry_out(self, finished: "request.ScannedRun") -> None:
        with View(quiet=True) as quiet:
            execute.follow(self._home, finished, quiet, broker=None, workers=None, within=self._session)

    def _tell_removed(self) -> None:
        """Deal with files that are gone and were not only moved aside for a moment, as some programs save."""
        gone = [path for path in self._gone if not os.path.lexists(path)]
        self._gone.clear()
        if removed := removals.remove(self._context, self._wanted.libraries, gone):
            self.told = self.told.replace(removed=self.told.removed + removed)
            self._say(f"{removed} {'file' if removed == 1 else 'files'} removed; the features are kept")

    def _is_hidden(self, path: str) -> bool:
        root = next((each for each in self._wanted.libraries if path.startswith(f"{each}/")), "")
        return any(name.startswith(".") for name in path.removeprefix(root).split("/"))

    def _say(self, text: str) -> None:
        self._view.line(f"{datetime.now().astimezone():%H:%M:%S} {text}")
