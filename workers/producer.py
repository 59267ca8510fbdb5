"""The producer: walks the libraries once, cuts what it finds into shards, and publishes no more than workers can take.

The scan writes every shard to the ledger first, so that a mistake in the labels is told before any work is done, and
memory stays flat whatever the size of the library: one shard at a time is in it.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from pipeline.errors import UsageError
from pipeline.labels import check_labelled, parse_labels, parse_sources
from pipeline.runs import RunPlan
from pipeline.scan import scan
from pipeline.tracks import ScannedTrack, printable
from pipeline.wire import Value
from storage.ledger import Scan, TrackIds
from workers import flow, importing, known, sealing, stages
from workers.context import Context, Doors
from workers.settings import QUEUES

SHARD_FILES = 500
QUEUE_BOUND = 4_000
"""Tasks waiting or running beyond which the producer pauses: what keeps the broker's memory flat."""


class ScanSummary(Value, frozen=True, kw_only=True):
    """What a scan found."""

    files: int
    bytes: int
    shards: int
    labels: dict[str, int]
    """Files per label."""
    unlabelled: int = 0
    ungrouped: int = 0
    """Files without a group, where groups were asked for."""
    unfolded: int = 0
    """Files without a fold, where folds were asked for."""
    example: str = ""
    """One file without a label."""
    unreadable: tuple[str, ...] = ()
    """Folders that could not be read, with the reason."""
    gone: int = 0
    """Tracks that an earlier scan saw and this one marked deleted."""
    formats: dict[str, int] = {}
    """Files per extension."""


def write_shards(
    context: Doors,
    plan: RunPlan,
    *,
    shard_files: int = SHARD_FILES,
    seen: Callable[[int], None] = lambda _: None,
    tracks: Iterator[ScannedTrack] | None = None,
) -> ScanSummary:
    """Walk the plan's libraries and write what is found, or just the tracks given, as shards of the run.

    Raises `UsageError` for a library or a label rule that cannot work, and for labels that nobody can learn from.
    """
    if importing.is_imported(plan.libraries):
        found = _count(importing.write_shards(context.ledger, plan, shard_files=shard_files), seen)
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
    tally = _Tally(grouped=sources.groups is not None, folded=sources.folds is not None)
    shards = 0
    for shard in _batches(tracks, shard_files):
        context.ledger.write_shard(plan.run_id, shards, shard)
        shards += 1
        seen_ids.add(track.track_id for track in shard)
        for track in shard:
            tally.take(track)
        seen(tally.files)
    problems = tuple(f"{printable(path)}: {reason}" for path, reason in unreadable.items())
    found = tally.summary(shards, problems)
    check_labels(plan, found)  # before anything is marked: what is refused changes nothing
    gone = _mark_gone(context, plan, seen_ids, frozenset(unreadable)) if walked else 0
    # Only now, so that a walk that is over has marked what was gone. Tracks that were given are not all there is.
    context.ledger.close_scan(plan.run_id, shards, left_out=len(unreadable) if walked else 1)
    return found.replace(gone=gone)


def _count(shards: Iterator[Sequence[ScannedTrack]], seen: Callable[[int], None]) -> ScanSummary:
    """Return the counts of shards that are being written."""
    tally = _Tally(grouped=False, folded=False)
    written = 0
    for shard in shards:
        written += 1
        for track in shard:
            tally.take(track)
        seen(tally.files)
    return tally.summary(written, ())


def _mark_gone(context: Doors, plan: RunPlan, seen: TrackIds, unreadable: frozenset[str]) -> int:
    """Mark the tracks of the plan's libraries that the walk did not see any more; return how many."""
    if len(context.ledger.run_ids()) == 1 and not context.has_store:
        return 0  # the first scan of a home: nothing was there before, and looking makes no store
    marks = context.tracks.gone(
        Scan(sequence=plan.sequence, libraries=plan.libraries, unreadable=unreadable), seen, is_gone=_is_gone
    )
    tracks = 0
    for mark in marks:
        context.store.commit(mark, {}, {})
        tracks += not mark.copy_of
    return tracks


def _is_gone(path: str) -> bool:
    """Tell whether there is nothing at a path; when that cannot be seen, it is not gone."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def publish_all(context: Context, plan: RunPlan, *, stop: threading.Event, again: bool = False) -> None:
    """Publish every shard of a scanned run that is not sealed, pausing while the queues are full.

    Whatever the store has already counts in the run's progress, unless all this is done `again`.
    """
    sealed = frozenset(context.ledger.sealed_shards(plan.run_id))  # of what was known, or of a run taken up again
    if sealed and not again:
        context.counters.add(plan.run_id, unchanged=sum(stages.track_counts(context, plan).values()))
    # Once for all: what the run itself extracts is in other shards than those that are still to be published.
    found = known.known_of(context, plan)
    for shard in context.ledger.shards(plan.run_id):
        if shard in sealed:
            continue
        while context.counters.queued(QUEUES) > QUEUE_BOUND and not stop.wait(0.2):
            pass
        if stop.is_set():
            return
        tracks = context.ledger.shard(plan.run_id, shard)
        if found is None:
            orders = sealing.orders_missing(plan, shard, tracks, context.store.snapshot())
        else:
            orders = sealing.orders(plan, shard, found.missing(tracks))
        if len(orders) < len(tracks) and not again:
            context.counters.add(plan.run_id, unchanged=len(tracks) - len(orders))
        flow.publish_shard(plan, shard, orders)


def _check_classes(plan: RunPlan, found: ScanSummary) -> None:
    """Refuse classes with too few tracks, whatever their groups, for the way the recipe parts them."""
    split, labels = plan.recipe.split, f"labels {printable(plan.labels)}"
    lonely = sorted(label for label, files in found.labels.items() if files == 1)
    if lonely:
        raise UsageError(
            f"{labels}: {', '.join(map(repr, lonely[:5]))} has one track only; "
            "a class needs at least two, one to learn from and one to test on: add tracks or leave the class out"
        )
    if max(found.labels.values()) == 2:
        raise UsageError(
            f"{labels}: no class has more than two tracks, and at least one needs three "
            "(to learn, validate and test): add tracks"
        )
    smallest = min(found.labels, key=lambda label: (found.labels[label], label))
    if split.strategy in {"kfold", "nested"} and found.labels[smallest] < split.k:
        files = found.labels[smallest]
        raise UsageError(
            f"{labels}: {smallest!r} has {files} tracks, too few for {split.k} folds: split.k = {files} is possible, "
            "or add tracks"
        )


def check_labels(plan: RunPlan, found: ScanSummary) -> None:
    """Refuse, before any work, what no classifier could be trained on, if one shall be.

    Raises `UsageError` naming the rule or the class, and the mend.
    """
    if not plan.learn:
        return
    if not importing.is_imported(plan.libraries):
        source = parse_labels(plan.labels, libraries=plan.libraries)
        check_labelled(source, scanned=found.files, labelled=sum(found.labels.values()), example=found.example)
    if len(found.labels) == 1:
        raise UsageError(
            f"labels {plan.labels}: all {found.files} files have the one label {next(iter(found.labels))!r}; "
            "a classifier needs at least two, so add folders or give another --labels"
        )
    if plan.recipe.split.strategy != "rows":  # which parts the rows within tracks: one is enough
        _check_classes(plan, found)
    for option, without in (("groups", found.ungrouped), ("folds", found.unfolded)):
        if without == found.files:
            raise UsageError(
                f"{option} {printable(getattr(plan, option))}: found for none of {found.files:,} files; "
                f"mend the rule given with --{option}, or leave it out"
            )


class _Tally:
    """Counts of a scan as it goes."""

    def __init__(self, *, grouped: bool, folded: bool) -> None:
        self.files = 0
        self._wanted = {"group": grouped, "fold": folded}
        self._bytes = 0
        self._labels: Counter[str] = Counter()
        self._formats: Counter[str] = Counter()
        self._without: Counter[str] = Counter()
        self._example = ""

    def take(self, track: ScannedTrack) -> None:
        """Count one file."""
        self.files += 1
        self._bytes += track.stamp.size_bytes
        self._formats[track.path.rpartition(".")[2].lower()] += 1
        self._without["group"] += self._wanted["group"] and track.group is None
        self._without["fold"] += self._wanted["fold"] and track.fold is None
        if track.label is None:
            self._without["label"] += 1
            self._example = self._example or track.path
        else:
            self._labels[track.label] += 1

    def summary(self, shards: int, unreadable: tuple[str, ...]) -> ScanSummary:
        """Return the counts."""
        return ScanSummary(
            files=self.files,
            bytes=self._bytes,
            shards=shards,
            labels=dict(sorted(self._labels.items())),
            unlabelled=self._without["label"],
            ungrouped=self._without["group"],
            unfolded=self._without["fold"],
            example=self._example,
            unreadable=unreadable,
            formats=dict(sorted(self._formats.items())),
        )


def _batches(tracks: Iterator[ScannedTrack], size: int) -> Iterator[list[ScannedTrack]]:
    while batch := list(islice(tracks, size)):
        yield batch
