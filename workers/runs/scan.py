"""The scan of a run: walks its libraries once, and writes what they hold to the ledger in shards.

All shards are in the ledger before anything is published, so that a mistake in the labels costs no work. Memory stays
flat whatever the size of the library: one shard at a time is in it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from pipeline.batches import batches
from pipeline.errors import StoreError, UsageError
from pipeline.learning.splits.preview import SplitTally, describe_groups
from pipeline.library.cue.albums import AlbumSheets
from pipeline.library.folders.left_out import NOTHING, LeftOut, LeftOutTally, describe_unreadable
from pipeline.library.folders.presence import NOT_MOUNTED, is_empty_folder
from pipeline.library.imported import PREFIX, is_imported
from pipeline.library.labels import TrackSources, parse_sources, tag_fields
from pipeline.library.layouts import suggested_layout
from pipeline.library.scan import scan
from pipeline.library.scan_summary import (
    ScanSummary,
    ScanTally,
    check_labels,
    describe_cut_tags,
)
from pipeline.library.tracks import ScannedTrack
from pipeline.library.unlabelled import describe_unlabelled
from pipeline.plans.run import RunPlan
from pipeline.text import printable
from storage import RunLedger
from storage.home import Home
from storage.ledger.tracks import TrackIds
from workers.extraction.removals import mark_gone
from workers.extraction.stored import seal_stored
from workers.runs.active import announce
from workers.runs.cancel import claim_when_stopped, require_not_cancelled
from workers.runs.library_tags import LibraryTags
from workers.runs.progress import View
from workers.runs.request import RunRequest, ScannedRun, plan_run

SHARD_FILES = 500

Progress = Callable[[int], None]
"""Called with how many files were written so far."""


def scan_libraries(home: Home, request: RunRequest, view: View) -> ScannedRun:
    """Plan a run, scan its libraries into the ledger, and seal the shards of which everything is stored.

    Raises `UsageError` for what cannot work, and leaves no run then; `CancelledError` when the run was cancelled.
    """
    plan = plan_run(request, home.ledger)
    begun = False

    def progress(files: int) -> None:
        nonlocal begun
        if not begun:  # only now: a mistake in the request is one line, and nothing beside it
            view.stage("scan")
            begun = True
        view.update("scan", files)
        require_not_cancelled(home, plan.run_id)

    with (
        _forget_when_refused(home.ledger, plan.run_id),
        claim_when_stopped(home.ledger, plan.run_id),
        announce(home, plan.run_id),
    ):
        tally = SplitTally()
        written = _write_imported if is_imported(plan.libraries) else _walk
        found = written(home, plan, progress, tally)
        preview = tally.preview(plan.recipe.split, seed=plan.seed)
        if plan.learn and preview.reason:  # before anything is extracted
            raise UsageError(preview.reason)
        progress(found.files)
        for line in _lines(plan, found):
            view.line(line)
        if plan.learn and preview.words and (preview.groups or preview.folds):
            view.line(f"{describe_groups(preview)}; split: {preview.words}")
        if plan.extract:
            seal_stored(home, plan)
    view.finish("scan", found.files, note=f"{found.files} files, {len(found.labels)} labels")
    return ScannedRun(plan=plan, found=found, split=preview)


def _lines(plan: RunPlan, found: ScanSummary) -> list[str]:
    """Return what is to be said of a scan while its run goes on."""
    lines = [*describe_unreadable(found.unreadable)]
    if found.gone:
        lines.append(f"{found.gone} files that were there before are gone, and marked deleted")
    if not (plan.extract or plan.learn):  # then the summary comes at once, and has the rest
        return lines
    lines += [*found.observations, *found.label_findings.lines]
    # An extraction has no use for the folders' names, which are labels where nobody says otherwise.
    if found.unlabelled and (plan.learn or (plan.extract and not plan.labels.startswith("folder"))):
        lines.append(describe_unlabelled(found.unlabelled_formats, plan.labels, found.label_findings.folded))
    if found.cut_tags:
        lines.append(describe_cut_tags(found.cut_tags))
    return lines


def write_tracks(
    home: Home,
    plan: RunPlan,
    tracks: Iterable[ScannedTrack],
    *,
    complete: bool,
    progress: Progress = lambda _: None,
    split: SplitTally | None = None,
) -> ScanSummary:
    """Write files that are known already as the shards of a run, without a walk.

    `complete` says whether they are all there is in the run's libraries; otherwise no file counts as gone because it
    is not among them.
    """
    writer = _ShardWriter(home.ledger, plan.run_id, ScanTally(grouped=False, folded=False), split)
    for _ in writer.write(tracks):
        progress(writer.tally.files)
    home.ledger.close_scan(plan.run_id, writer.shards, left_out=0 if complete else 1)
    return writer.summary()


class _ShardWriter:
    """Writes files as the shards of a run, and counts them."""

    def __init__(self, ledger: RunLedger, run_id: str, tally: ScanTally, split: SplitTally | None = None) -> None:
        self.shards = 0
        self.tally = tally
        self._split = split or SplitTally()
        self._ledger = ledger
        self._run_id = run_id

    def write(self, tracks: Iterable[ScannedTrack]) -> Iterator[Sequence[ScannedTrack]]:
        """Write files shard by shard, and yield each shard when it is written."""
        for shard in batches(tracks, SHARD_FILES):
            self._ledger.write_shard(self._run_id, self.shards, shard)
            self.shards += 1
            for track in shard:
                self.tally.add(track)
                self._split.add(track)
            yield shard

    def summary(self, unreadable: tuple[str, ...] = (), left_out: LeftOut = NOTHING) -> ScanSummary:
        """Return the counts of what was written, with what could not be read and what was left out."""
        return self.tally.summary(self.shards, unreadable, left_out)


def _walk(home: Home, plan: RunPlan, progress: Progress, split: SplitTally) -> ScanSummary:
    """Walk the plan's libraries, write their files, and mark those that an earlier walk saw and this one does not.

    Raises `UsageError` for a library or a label rule that cannot work, and for labels that nobody can learn from.
    """
    sources = parse_sources(
        labels=plan.labels,
        groups=plan.groups,
        folds=plan.folds,
        libraries=plan.libraries,
        vocabulary=plan.rules.folding,
    )
    unreadable: dict[str, str] = {}
    sheets = AlbumSheets()
    left_out = LeftOutTally()
    fields = tag_fields(sources)
    tally = ScanTally(
        grouped=sources.groups is not None,
        folded=sources.folds is not None,
        tables=sources.tables,
        vocabulary=plan.rules.folding,
        faults={stem: fault for each in sources.layouts for stem, fault in each.layout.faults.items()},
    )
    writer = _ShardWriter(home.ledger, plan.run_id, tally, split)
    ids = TrackIds()
    with LibraryTags(home, plan.run_id, fields) as tags:
        tracks = scan(
            plan.libraries,
            sources=sources,
            rules=plan.rules,
            on_problem=unreadable.__setitem__,
            left_out=left_out,
            sheets=sheets,
            tags=tags if fields else None,
        )
        progress(0)
        for shard in writer.write(tracks):
            ids.add(track.track_id for track in shard)
            progress(tally.files)
    away = sorted(
        each for each in home.ledger.known_mounts(plan.libraries).difference(left_out.mounts) if is_empty_folder(each)
    )
    unreadable |= dict.fromkeys(away, NOT_MOUNTED)
    found = writer.summary(
        tuple(f"{printable(path)}: {reason}" for path, reason in unreadable.items()), left_out.total(plan.rules.exclude)
    )
    found = found.replace(notes=(*_layout_notes(plan, sources), *found.notes), sheets=sheets.counts())
    check_labels(plan, found)  # before anything is marked: what is refused changes nothing
    gone = mark_gone(home, plan, ids, frozenset(unreadable), cut_files=sheets.cut_files)
    # Only now, so that a walk that is over has marked what was gone.
    home.ledger.close_scan(
        plan.run_id,
        writer.shards,
        left_out=len(unreadable),
        unreadable=found.unreadable,
        omitted=found.left_out,
        mounts=(*left_out.mounts, *away),
        notes=(*found.observations, *(f"cue sheet not used: {each}" for each in found.sheets.unused)),
    )
    return found.replace(gone=gone, cut_tags=tags.cut_files)


def _layout_notes(plan: RunPlan, sources: TrackSources) -> tuple[str, ...]:
    """Return what is to be known of the data set that the libraries are, or are like."""
    if sources.layouts:
        return tuple(note for each in sources.layouts for note in each.reader.notes)
    if plan.labels != "folder" or plan.groups or plan.folds:
        return ()  # whoever says where labels are knows the set
    layout = suggested_layout(plan.libraries)
    return (f"looks like {layout.title}: --layout {layout.name} reads {layout.gives}",) if layout else ()


def _write_imported(home: Home, plan: RunPlan, progress: Progress, split: SplitTally) -> ScanSummary:
    """Write the rows of the plan's imported libraries.

    Raises `UsageError` for a library that was not imported, and for labels that nobody can learn from.
    """
    tracks = (track for library in plan.libraries for track in _imported_tracks(home.ledger, library))
    found = write_tracks(home, plan, tracks, complete=True, progress=progress, split=split)
    check_labels(plan, found)
    return found


def _imported_tracks(ledger: RunLedger, library: str) -> Iterator[ScannedTrack]:
    """Yield the rows of an imported library, as its newest run found them. Raises `UsageError` for an unknown one."""
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


@contextmanager
def _forget_when_refused(ledger: RunLedger, run_id: str) -> Iterator[None]:
    """Forget a run whose scan showed a mistake: `train`, `status` and `report` would take it for the last one."""
    try:
        yield
    except UsageError:
        with suppress(StoreError):  # the mistake is what has to be reported
            ledger.remove(run_id)
        raise
