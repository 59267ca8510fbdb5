"""Updates of a home by a watch: the runs that extract and learn, and the marks of removed files.

Each batch is a small run of its own, without learning: it has a plan, shards and seals in the ledger as any other, is
healed by the same sweep and shown by the same commands. What is missing is always read from the store: whoever starts a
watch again after any time catches up, and a batch that was broken off is made whole by the next.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain

from pipeline.errors import ChordalError
from pipeline.library.remarks import describe_remarks
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.run import RunPlan
from storage.home import Home, InUseError, home_lock
from workers.app import task_results
from workers.broker.health import BROKER_ERRORS
from workers.extraction import removals, settled
from workers.processes import signals
from workers.processes.cluster import LocalCluster
from workers.runs.execute import follow
from workers.runs.progress import View
from workers.runs.request import ScannedRun, plan_run
from workers.runs.scan import scan_libraries, write_tracks
from workers.runs.state import RunState
from workers.watch.notices import WatchNotices
from workers.watch.request import WatchRequest, WatchSummary

RETRY_S = 60.0
"""How long after a batch that failed it is tried again."""

ERRORS = (ChordalError, *BROKER_ERRORS)

Show = Callable[[str], None]
"""Shows a line."""


class HomeUpdates:
    """The changes that a watch makes to a home."""

    def __init__(
        self, home: Home, request: WatchRequest, cluster: LocalCluster, show: Show, notices: WatchNotices
    ) -> None:
        self.summary = WatchSummary()
        self._home = home
        self._request = request.run
        self._learn_after = request.learn_after
        self._cluster = cluster
        self._show = show
        self._unlearned = 0
        self._notices = notices

    def extract(self, libraries: Sequence[str], tracks: Iterable[ScannedTrack]) -> bool:
        """Extract what the store lacks of some files, as one run of their libraries; nothing is begun for none.

        Returns False when that failed, which is shown, and has to be tried again.
        """
        try:
            missing = self._missing(tracks)
            first = next(missing, None)
            if first is None:
                return True
            with self._home_lock():
                plan = plan_run(self._request.replace(learn=False, libraries=tuple(libraries)), self._home.ledger)
                found = write_tracks(self._home, plan, chain([first], missing), complete=False)
                self._follow(ScannedRun(plan=plan, found=found))
        except ERRORS as error:
            self._show(f"{' '.join(str(error).split())}; tried again in {RETRY_S:.0f} s")
            self._notices.failed(str(error))
            return False
        self._notices.succeeded()
        counts = RunState.read(self._home, plan.run_id).tracks
        remarks = self._remarks(plan)
        self._count(batches=1, remarks=remarks, **counts)
        words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        self._show(f"{found.files} {'file' if found.files == 1 else 'files'}: {words}")
        if remarks:
            self._show(describe_remarks(remarks))
        self._unlearned += counts["extracted"]
        if self._learn_after is not None and self._unlearned >= self._learn_after:
            self._learn()
        return True

    def remove(self, library: str, paths: Iterable[str]) -> None:
        """Mark files as deleted, but those that were only moved aside for a moment, as some programs save."""
        gone = [path for path in paths if removals.is_gone(path)]
        if gone and (removed := removals.remove(self._home, (library,), gone)):
            self._count(removed=removed)
            self._show(f"{removed} {'file' if removed == 1 else 'files'} removed; the features are kept")

    def remove_other_tracks(self, tracks: Sequence[ScannedTrack]) -> None:
        """Mark what files were cut into before and are not now as deleted: their cue sheets came, changed or went."""
        if removed := removals.remove_other_tracks(self._home, tracks):
            self._count(removed=removed)
            self._show(f"{removed} {'track' if removed == 1 else 'tracks'} cut otherwise now; the features are kept")

    def _missing(self, tracks: Iterable[ScannedTrack]) -> Iterator[ScannedTrack]:
        """Yield the files that the store lacks something of."""
        snapshot = self._home.store.snapshot()
        plan = RunPlan(
            run_id="", command=(), libraries=(), recipe=self._request.recipe, labels="", groups=None, folds=None,
            seed=0, sequence=0, created="",
        )  # fmt: skip
        keys = settled.family_keys(plan)
        for track in tracks:
            if not settled.is_settled(track, snapshot, keys, settled.augmentation(plan, track)):
                yield track

    def _remarks(self, plan: RunPlan) -> int:
        """Return on how many tracks of a run their decoder had a remark."""
        snapshot, ledger = self._home.store.snapshot(), self._home.ledger
        tracks = (track for shard in ledger.shards(plan.run_id) for track in ledger.shard(plan.run_id, shard))
        records = (snapshot.record(track.track_id) for track in tracks)
        return sum(record is not None and record.has_remark for record in records)

    def _learn(self) -> None:
        """Learn from all that is there; what cannot be learned from yet is shown, and tried again with more."""
        self._unlearned = 0
        self._show("learning begins")
        try:
            with self._home_lock():
                champion = self._home.champions.current()
                request = self._request.replace(learn=True, against=champion.version if champion is not None else None)
                with View(quiet=True) as quiet:
                    scanned = scan_libraries(self._home, request, quiet)
                self._follow(scanned)
        except ERRORS as error:
            self._show(f"nothing learned: {' '.join(str(error).split())}")
            return
        self._count(learned=1)
        self._notices.learned(scanned.plan.run_id)
        report = self._home.ledger.report(scanned.plan.run_id)
        if report is not None:
            verdict = self._home.champions.verdict(report.model.version)
            self._show(f"learned {task_results.run_result(report, verdict)!r}")

    @contextmanager
    def _home_lock(self) -> Iterator[None]:
        """Hold the home for a run, as soon as nobody else does; with a private broker the watch holds it already."""
        pause = threading.Event()
        said = ""
        with ExitStack() as stack:
            while self._request.broker is not None:
                try:
                    stack.enter_context(home_lock(self._home.path, shared=True, purpose="watching"))
                    break
                except InUseError as error:
                    signals.check()
                    if str(error) != said:
                        said = str(error)
                        self._show(f"{said}; waiting")
                    pause.wait(1.0)
            if said:
                self._show("goes on")
            yield

    def _follow(self, scanned: ScannedRun) -> None:
        with View(quiet=True, on_warning=self._show) as quiet:
            follow(self._home, scanned, quiet, broker=None, workers=None, cluster=self._cluster)

    def _count(self, **counts: int) -> None:
        added = {name: getattr(self.summary, name) + count for name, count in counts.items()}
        self.summary = self.summary.replace(**added)
