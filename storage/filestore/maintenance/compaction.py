"""Merging segments and small parts into parts, without a lock.

A compactor writes new parts, then publishes the next manifest by a hard link. When the link's name is taken another
compactor won: its manifest stands, ours is dropped with the parts nobody has seen. Only a published compactor unlinks
the segments it merged, and merging a segment again finds everything known and unlinks it only. So a compactor may die
at any moment, and any number may run beside any number of writers.
"""

import itertools
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal

from pipeline.features.spec import FeatureRows, FeatureSpec
from storage import durable
from storage.base import GRACE_S, UNUSED_S, CompactionReport, GcReport
from storage.filestore import pins
from storage.filestore.format.families import FamilyTable
from storage.filestore.format.hdf5 import DamagedError, VanishedError, reading
from storage.filestore.format.records import Tracks
from storage.filestore.index import TRACKS, Indexes, PartsIndex
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName
from storage.filestore.maintenance.retention import due, retire
from storage.filestore.parts import PartsWriter
from storage.rules import Rank, State

log = logging.getLogger(__name__)

PART_ENTRIES = 2048
"""How many records, or contents, a part holds at most."""

_ATTEMPTS = 5


class Compactor:
    """Compacts one store from one process; safe from threads."""

    def __init__(self, layout: Layout, indexes: Indexes, *, part_entries: int = PART_ENTRIES) -> None:
        self._layout = layout
        self._indexes = indexes
        self._part_entries = part_entries
        self._looked_at = -1

    def compact(self, *, unused_s: float = UNUSED_S, grace_s: float = GRACE_S) -> CompactionReport:
        """Merge the inbox, and parts small enough, into parts; give back what nobody refers to any more.

        Raises `StoreError` when files cannot be read or written; the store is then as it was.
        """
        report, superseding = merge_all(self._layout, self._indexes, part_entries=self._part_entries)
        if report.state == "lost":
            return report
        for _ in range(_ATTEMPTS):
            segments = list(self._layout.segments())
            base = self._indexes.newest()
            with durable.store_errors(self._layout.tmp, "be written"):
                now_s = durable.clock_s(self._layout.tmp)
            # Looking costs a second for a million tracks, and a run compacts once for each of its shards.
            come = due(base.manifest.parts, now_s=now_s, unused_s=unused_s)
            if not (superseding or come or (report.state == "nothing" and base.generation != self._looked_at)):
                break
            try:
                retired = retire(
                    self._layout,
                    self._indexes,
                    base,
                    segments,
                    now_s=now_s,
                    unused_s=unused_s,
                    grace_s=grace_s,
                    part_entries=self._part_entries,
                )
            except VanishedError:
                continue  # another compactor is ahead
            except DamagedError as error:
                # What cannot be read is not given back; it is named, and `verify` sees to it.
                log.warning("%s", error)
                return report.replace(damaged=(*report.damaged, str(error)))
            if retired.state != "lost":
                self._looked_at = base.generation + (retired.state == "done")
                return report.replace(dropped=retired.contents)
        return report


def merge_all(layout: Layout, indexes: Indexes, *, part_entries: int) -> tuple[CompactionReport, bool]:
    """Merge the inbox and small parts; tell too whether a merged record superseded one, or marked a deletion.

    Raises `StoreError` when files cannot be read or written; the store is then as it was.
    """
    damaged: dict[str, None] = {}
    for _ in range(_ATTEMPTS):
        # As a reader does: first the inbox, then the manifest, so that nothing merged in between is missed.
        segments = list(layout.segments())
        merge = Merge(layout, indexes.newest(), part_entries=part_entries)
        try:
            report = merge.run(segments)
        except VanishedError:
            continue  # another compactor merged it
        finally:
            damaged.update(dict.fromkeys(merge.damaged))
        if report.state != "lost":
            return report.replace(damaged=tuple(damaged)), merge.superseding
    return CompactionReport(state="lost", damaged=tuple(damaged)), False


def small_parts(parts: Iterable[PartEntry], incoming: int, *, part_entries: int) -> list[PartEntry]:
    """Choose the parts of one kind that are worth merging with `incoming` new entries.

    A part is taken while it is at most twice what is merged already, so that a row is rewritten only as often as the
    store doubles; a part more than half full is left alone.
    """
    taken: list[PartEntry] = []
    total = incoming
    for part in sorted(parts, key=lambda part: part.entries):
        if not total or part.entries > min(2 * total, part_entries // 2):
            break
        taken.append(part)
        total += part.entries
    return taken


class Merge:
    """One attempt to merge what is in the inbox into the parts of one manifest."""

    def __init__(self, layout: Layout, base: PartsIndex, *, part_entries: int) -> None:
        self.damaged: list[str] = []
        self.superseding = False
        self._layout = layout
        self._base = base
        self._part_entries = part_entries
        self._writer = PartsWriter(layout, part_entries=part_entries)
        self._entries: Counter[str] = Counter()
        self._best: dict[str, Rank] = {}
        self._merged: set[tuple[str, str]] = set()
        self._specs: dict[str, FeatureSpec] = {}

    def run(self, segments: Sequence[SegmentName]) -> CompactionReport:
        """Merge, publish and unlink; raises `VanishedError` when another compactor is ahead."""
        with ExitStack() as undo:
            undo.callback(self._writer.discard)
            ordered = sorted(segments, key=lambda name: name.path)
            done = [name for name in ordered if self._merge_segment(name)]
            replaced = self._merge_small_parts()
            written = self._writer.finish()
            if written:
                kept = [part for part in self._base.manifest.parts if part.name not in replaced]
                # A publication that fails may have been made all the same: the parts then stay for the collection.
                unseen = undo.pop_all()
                if not self._layout.publish_manifest(self._base.generation + 1, Manifest(parts=(*kept, *written))):
                    unseen.close()
                    return CompactionReport(state="lost")
                # A compactor that slept for days could take a number that was used and collected before. Manifests
                # are collected from the low end, so the one it built on is then gone too, and it must not unlink.
                if not self._layout.has_manifest(self._base.generation):
                    raise VanishedError("the manifest this merge was based on was collected")
        for name in done:
            path = self._layout.inbox / name.path
            with durable.store_errors(path, "be removed"):
                path.unlink(missing_ok=True)
        state: Literal["compacted", "nothing"] = "compacted" if done else "nothing"
        return CompactionReport(state=state, segments=len(done), parts=len(written))

    def _merge_segment(self, name: SegmentName) -> bool:
        """Merge what nobody else holds of a segment; False when it was set aside."""
        content_hash = name.rank.content_hash
        known = self._base.families_of(content_hash) if content_hash else frozenset()
        families = {key for key in self._layout.families_in(name) - known if (content_hash, key) not in self._merged}
        # Superseded records are merged too: a snapshot that pinned the segment may still ask for its own.
        if not families and self._base.record(name.track_id, name.rank) is not None:
            return True
        try:
            table, rows = read_segment(self._layout, name, families)
        except DamagedError as error:
            self._set_aside(name, error)
            return False
        self.superseding |= name.rank.state == State.DELETED or self._base.rank(name.track_id) is not None
        self._add_records(table)
        for key in sorted(rows):
            self._add_rows(key, content_hash, rows[key])
        return True

    def _merge_small_parts(self) -> set[str]:
        """Merge the parts that are small beside what is new, and return the names of those that are replaced."""
        by_kind: dict[str, list[PartEntry]] = {}
        for part in self._base.manifest.parts:
            if part.unused_since_s is None:
                by_kind.setdefault(part.kind, []).append(part)
        replaced = set()
        for kind, parts in by_kind.items():
            for part in small_parts(parts, self._entries[kind], part_entries=self._part_entries):
                try:
                    self._merge_part(part)
                except DamagedError as error:
                    # It stays in the manifest; what was taken from it before is the same and does no harm twice.
                    self._report(error)
                else:
                    replaced.add(part.name)
        return replaced

    def _merge_part(self, part: PartEntry) -> None:
        with reading(self._layout.parts / part.name) as file:
            if part.kind == TRACKS:
                table = Tracks.read(file)
                for row in range(len(table)):
                    table.check(row)
                self._add_records(table.take([row for row in range(len(table)) if self._counts(table, row)]))
                return
            rows = FamilyTable(file, part.kind)
            # A content that a lost race stored twice is kept once.
            new = [at for at, content_hash in enumerate(rows.contents) if (content_hash, part.kind) not in self._merged]
            for content_hash, found in rows.each(new):
                self._add_rows(part.kind, content_hash, found)

    def _counts(self, table: Tracks, row: int) -> bool:
        """Return whether a record of a part is not superseded, neither by another part nor by a merged segment."""
        track_id, rank = table.track_id(row), table.rank(row)
        best = self._base.rank(track_id)
        return (best is None or best <= rank) and self._best.get(track_id, rank) <= rank

    def _add_records(self, table: Tracks) -> None:
        for row in range(len(table)):
            track_id, rank = table.track_id(row), table.rank(row)
            self._best[track_id] = max(rank, self._best.get(track_id, rank))
        if len(table):
            self._entries[TRACKS] += len(table)
            self._writer.add_records(table)

    def _add_rows(self, key: str, content_hash: str, rows: FeatureRows) -> None:
        if key not in self._specs:
            self._specs[key] = self._layout.spec(key)
        self._merged.add((content_hash, key))
        self._entries[key] += 1
        self._writer.add_rows(self._specs[key], content_hash, rows)

    def _set_aside(self, name: SegmentName, error: DamagedError) -> None:
        """Move a damaged segment out of the inbox, so that its track counts as not extracted and heals."""
        set_aside(self._layout, self._layout.inbox / name.path)
        self._report(error)

    def _report(self, error: DamagedError) -> None:
        log.warning("%s", error)
        self.damaged.append(str(error))


def set_aside(layout: Layout, path: Path) -> None:
    """Move a damaged file to where nobody reads it, durably; fine when it is gone. Raises `StoreError`."""
    with durable.store_errors(path, "be set aside"), suppress(FileNotFoundError):
        path.replace(layout.damaged / path.name)
        durable.sync_path(layout.damaged)
        durable.sync_path(path.parent)


def read_segment(layout: Layout, name: SegmentName, families: Collection[str]) -> tuple[Tracks, dict[str, FeatureRows]]:
    """Return the record of a segment and the rows of some of its families, all checked.

    Raises `VanishedError` when it was merged meanwhile, `DamagedError` when it is not what its name says.
    """
    with reading(layout.inbox / name.path) as file:
        table = Tracks.read(file)
        table.check(0)
        if table.track_id(0) != name.track_id or table.rank(0) != name.rank:
            raise DamagedError("it holds another record than its name says")
        return table, {key: FamilyTable(file, key).rows_of([name.rank.content_hash])[0] for key in families}


def collect(layout: Layout, *, grace_s: float) -> GcReport:
    """Remove old manifests, parts that no manifest names, and files of writers that died, older than `grace_s`.

    Raises `StoreError` when a folder cannot be read or a file not be removed.
    """
    with durable.store_errors(layout.root, "be cleaned"):
        now_s = durable.clock_s(layout.tmp)
        temporary = durable.unlink_older(layout.tmp, than_s=grace_s, now_s=now_s)
        # Parts are listed before the manifests are read: one that is published in between is not among them.
        candidates = durable.names_in(layout.parts)
        removed = _collect_manifests(layout, grace_s=grace_s, now_s=now_s)
        manifests_left = [layout.find_manifest(number) for number in layout.generations()]
        named = {part.name for manifest in manifests_left if manifest is not None for part in manifest.parts}
        parts = 0
        for name in candidates:
            path = layout.parts / name
            if name not in named and path.exists() and now_s - path.stat().st_mtime > grace_s:
                path.unlink(missing_ok=True)
                parts += 1
    return GcReport(manifests=removed, parts=parts, temporary=temporary)


def _collect_manifests(layout: Layout, *, grace_s: float, now_s: float) -> int:
    """Remove manifests that have been superseded for longer than the grace, always the lowest number first."""
    removed = 0
    # Pins are read before the manifests are listed: whoever pins later pins one that is not superseded yet.
    held = pins.lowest(layout, now_s=now_s)
    generations = layout.generations()
    for number, successor in itertools.pairwise(generations):
        path, newer = layout.manifest_path(number), layout.manifest_path(successor)
        # A snapshot may have pinned a manifest until its successor came.
        young = not newer.exists() or now_s - newer.stat().st_mtime <= grace_s
        if young or (held is not None and number >= held):
            break
        path.unlink(missing_ok=True)
        removed += 1
    return removed
