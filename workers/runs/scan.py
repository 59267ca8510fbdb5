"""The producer: walks the libraries once, cuts what it finds into shards, and publishes no more than workers can take.

The scan writes every shard to the ledger first, so that a mistake in the labels is told before any work is done, and
memory stays flat whatever the size of the library: one shard at a time is in it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice

from pipeline.errors import StoreError, UsageError
from pipeline.library import imported
from pipeline.library.imported import PREFIX
from pipeline.library.labels import parse_sources
from pipeline.library.scan import scan
from pipeline.library.scan_summary import ScanSummary, ScanTally, check_labels
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.run import RunPlan
from pipeline.text import printable
from storage import RunLedger
from storage.home import Home
from storage.ledger.tracks import TrackIds
from workers.extraction import stored
from workers.extraction.removals import mark_gone
from workers.runs import cancel
from workers.runs.active import announce
from workers.runs.cancel import claim_when_stopped
from workers.runs.progress import View
from workers.runs.request import RunRequest, ScannedRun, plan_run

SHARD_FILES = 500


def write_shards(
    home: Home,
    plan: RunPlan,
    *,
    shard_files: int = SHARD_FILES,
    seen: Callable[[int], None] = lambda _: None,
    tracks: Iterator[ScannedTrack] | None = None,
) -> ScanSummary:
    """Walk the plan's libraries and write what is found, or just the tracks given, as shards of the run.

    Raises `UsageError` for a library or a label rule that cannot work, and for labels that nobody can learn from.
    """
    if imported.is_imported(plan.libraries):
        found = _count(write_imported_shards(home.ledger, plan, shard_files=shard_files), seen)
        check_labels(plan, found)
        return found
    sources = parse_sources(labels=plan.labels, groups=plan.groups, folds=plan.folds, libraries=plan.libraries)
    unreadable: dict[str, str] = {}
    walked = tracks is None
    tracks = tracks or scan(
        plan.libraries,
        labels=sources.labels,
        groups=sources.groups,
        folds=sources.folds,
        on_problem=unreadable.__setitem__,
    )
    seen(0)
    seen_ids = TrackIds()
    tally = ScanTally(grouped=sources.groups is not None, folded=sources.folds is not None)
    shards = 0
    for shard in _batches(tracks, shard_files):
        home.ledger.write_shard(plan.run_id, shards, shard)
        shards += 1
        seen_ids.add(track.track_id for track in shard)
        for track in shard:
            tally.take(track)
        seen(tally.files)
    problems = tuple(f"{printable(path)}: {reason}" for path, reason in unreadable.items())
    found = tally.summary(shards, problems)
    check_labels(plan, found)  # before anything is marked: what is refused changes nothing
    gone = mark_gone(home, plan, seen_ids, frozenset(unreadable)) if walked else 0
    # Only now, so that a walk that is over has marked what was gone. Tracks that were given are not all there is.
    home.ledger.close_scan(plan.run_id, shards, left_out=len(unreadable) if walked else 1)
    return found.replace(gone=gone)


def _count(shards: Iterator[Sequence[ScannedTrack]], seen: Callable[[int], None]) -> ScanSummary:
    """Return the counts of shards that are being written."""
    tally = ScanTally(grouped=False, folded=False)
    written = 0
    for shard in shards:
        written += 1
        for track in shard:
            tally.take(track)
        seen(tally.files)
    return tally.summary(written, ())


def _batches(tracks: Iterator[ScannedTrack], size: int) -> Iterator[list[ScannedTrack]]:
    while batch := list(islice(tracks, size)):
        yield batch


def scan_libraries(home: Home, wanted: RunRequest, view: View) -> ScannedRun:
    """Plan a run and scan its libraries into the ledger. Raises `UsageError`, and leaves none, for what cannot work."""
    plan = plan_run(wanted, home.ledger)
    begun = False

    def seen(files: int) -> None:
        nonlocal begun
        if not begun:  # a mistake is told in one line
            view.stage("scan")
            begun = True
        view.update("scan", files)
        cancel.require_not_cancelled(home, plan.run_id)

    with (
        _forgotten_when_refused(home.ledger, plan.run_id),
        claim_when_stopped(home.ledger, plan.run_id),
        announce(home.path, plan.run_id),
    ):
        found = write_shards(home, plan, seen=seen)
        seen(found.files)
        for problem in found.unreadable:
            view.line(f"cannot look into {problem}")
        if found.gone:
            view.line(f"{found.gone} files that were there before are gone, and marked deleted")
        if plan.extract:
            stored.seal_stored(home, plan)
    if found.unlabelled and plan.learn:
        view.line(f"{found.unlabelled} of {found.files} files have no label and are not learned from")
    view.finish("scan", found.files, note=f"{found.files} files, {len(found.labels)} labels")
    return ScannedRun(plan=plan, found=found)


@contextmanager
def _forgotten_when_refused(ledger: "RunLedger", run_id: str) -> Iterator[None]:
    """Forget a run whose scan showed a mistake: `train`, `status` and `report` would take it for the last one."""
    try:
        yield
    except UsageError:
        with suppress(StoreError):  # the mistake is what has to be told
            ledger.forget(run_id)
        raise


def write_imported_shards(ledger: RunLedger, plan: RunPlan, *, shard_files: int) -> Iterator[Sequence[ScannedTrack]]:
    """Write the tracks of imported libraries as shards of a run, and yield each. Raises `UsageError` for unknown."""
    shards = 0
    tracks = (track for library in plan.libraries for track in _tracks_of(ledger, library))
    while shard := list(islice(tracks, shard_files)):
        ledger.write_shard(plan.run_id, shards, shard)
        shards += 1
        yield shard
    ledger.close_scan(plan.run_id, shards)


def _tracks_of(ledger: RunLedger, library: str) -> Iterator[ScannedTrack]:
    plans = [ledger.plan(run_id) for run_id in ledger.run_ids()]
    # By their sequence: ids and times do not tell which of two runs within a second is the newer.
    for plan in sorted(plans, key=lambda plan: plan.sequence, reverse=True):
        if plan.libraries == (library,) and ledger.shard_count(plan.run_id) is not None:
            for shard in ledger.shards(plan.run_id):
                yield from ledger.shard(plan.run_id, shard)
            return
    raise UsageError(
        f"{printable(library.removeprefix(PREFIX))}: was not imported into this home; "
        "`chordal store import-npz FILE` does that"
    )
