"""Merging segments and small parts into parts, without a lock.

A compactor writes new parts, then publishes the next manifest by a hard link. When the link's name exists, another
compactor was first: its manifest stands, ours is discarded with its parts, which no reader used. Only a compactor that
published unlinks the segments it merged; when a segment is merged again, all of it is stored already and it is only
unlinked. So a compactor may die at any moment, and any number may run beside any number of writers.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal

from pipeline.features.spec import FeatureRows, FeatureSpec
from storage import durable
from storage.base import GRACE_S, UNUSED_S, CompactionReport
from storage.filestore.format.families import FamilyTable
from storage.filestore.format.hdf5 import DamagedError, VanishedError, open_file
from storage.filestore.format.records import RecordTable
from storage.filestore.index import TRACKS, Indexes, PartsIndex
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName
from storage.filestore.maintenance.retention import is_due, retire
from storage.filestore.parts import PartsWriter
from storage.filestore.segments import read_segment
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
        self._checked_generation = -1
        """The manifest after which no part was due for a next step of its retention."""

    def compact(self, *, unused_s: float = UNUSED_S, grace_s: float = GRACE_S) -> CompactionReport:
        """Merge the inbox, and parts small enough, into parts; drop contents that no track refers to any more.

        Raises `StoreError` when files cannot be read or written; the store is then as it was.
        """
        report, supersedes = merge_all(self._layout, self._indexes, part_entries=self._part_entries)
        if report.state == "lost":
            return report
        for _ in range(_ATTEMPTS):
            segments = list(self._layout.segments())
            base = self._indexes.newest()
            with durable.store_errors(self._layout.tmp, "be written"):
                now_s = durable.clock_s(self._layout.tmp)
            # `retire` takes a second for a million tracks, and a run compacts once for each of its shards.
            due = is_due(base.manifest.parts, now_s=now_s, unused_s=unused_s)
            unchecked = report.state == "nothing" and base.generation != self._checked_generation
            if not (supersedes or due or unchecked):
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
                continue  # another compactor published meanwhile
            except DamagedError as error:
                # What cannot be read is not dropped; it is reported, for `verify` to find the rest of the damage.
                log.warning("%s", error)
                return report.replace(damaged=(*report.damaged, str(error)))
            if retired.state != "lost":
                self._checked_generation = base.generation + (retired.state == "done")
                return report.replace(dropped=retired.contents)
        return report


def merge_all(layout: Layout, indexes: Indexes, *, part_entries: int) -> tuple[CompactionReport, bool]:
    """Merge the inbox and small parts; return also whether a merged record superseded one or marked a deletion.

    Raises `StoreError` when files cannot be read or written; the store is then as it was.
    """
    damaged: dict[str, None] = {}
    for _ in range(_ATTEMPTS):
        # First the inbox, then the manifest, so that a segment that is merged in between is in both, not in neither.
        segments = list(layout.segments())
        merge = Merge(layout, indexes.newest(), part_entries=part_entries)
        try:
            report = merge.run(segments)
        except VanishedError:
            continue  # another compactor merged it
        finally:
            damaged.update(dict.fromkeys(merge.damaged))
        if report.state != "lost":
            return report.replace(damaged=tuple(damaged)), merge.supersedes
    return CompactionReport(state="lost", damaged=tuple(damaged)), False


def small_parts(parts: Iterable[PartEntry], incoming: int, *, part_entries: int) -> list[PartEntry]:
    """Choose the parts of one kind that are worth merging with `incoming` new entries.

    Smallest first, a part is chosen if it has at most twice the entries merged so far, so that a row is rewritten only
    as often as the store doubles; a part more than half full is never chosen.
    """
    chosen: list[PartEntry] = []
    total = incoming
    for part in sorted(parts, key=lambda part: part.entries):
        if not total or part.entries > min(2 * total, part_entries // 2):
            break
        chosen.append(part)
        total += part.entries
    return chosen


class Merge:
    """One attempt to merge the inbox into the parts of one manifest."""

    def __init__(self, layout: Layout, base: PartsIndex, *, part_entries: int) -> None:
        self.damaged: list[str] = []
        self.supersedes = False
        self._layout = layout
        self._base = base
        self._part_entries = part_entries
        self._writer = PartsWriter(layout, part_entries=part_entries)
        self._entries: Counter[str] = Counter()
        self._best: dict[str, Rank] = {}
        self._merged: set[tuple[str, str]] = set()
        self._specs: dict[str, FeatureSpec] = {}

    def run(self, segments: Sequence[SegmentName]) -> CompactionReport:
        """Merge, publish and unlink. Raises `VanishedError` when another compactor published meanwhile."""
        with ExitStack() as undo:
            undo.callback(self._writer.discard)
            ordered = sorted(segments, key=lambda name: name.path)
            done = [name for name in ordered if self._merge_segment(name)]
            replaced = self._merge_small_parts()
            written = self._writer.finish()
            if written:
                kept = [part for part in self._base.manifest.parts if part.name not in replaced]
                # A publication that reports an error may have succeeded: the parts then stay for the collection.
                unpublished = undo.pop_all()
                if not self._layout.publish_manifest(self._base.generation + 1, Manifest(parts=(*kept, *written))):
                    unpublished.close()
                    return CompactionReport(state="lost")
                # A compactor that was suspended for days could publish a number that was used and collected before.
                # Manifests are collected from the low end, so its base is then gone too, and it must not unlink.
                if not self._layout.has_manifest(self._base.generation):
                    raise VanishedError("the manifest this merge was based on was collected")
        for name in done:
            path = self._layout.inbox / name.path
            with durable.store_errors(path, "be removed"):
                path.unlink(missing_ok=True)
        state: Literal["compacted", "nothing"] = "compacted" if done else "nothing"
        return CompactionReport(state=state, segments=len(done), parts=len(written))

    def _merge_segment(self, name: SegmentName) -> bool:
        """Merge the families and the record of a segment that no part has yet; False when it was set aside."""
        content_hash = name.rank.content_hash
        known = self._base.families_of(content_hash) if content_hash else frozenset()
        families = {key for key in self._layout.families_in(name) - known if (content_hash, key) not in self._merged}
        # Superseded records are merged too, as a snapshot that lists the segment may still need its record.
        if not families and self._base.record(name.track_id, name.rank) is not None:
            return True
        try:
            table, rows = read_segment(self._layout, name, families)
        except DamagedError as error:
            self._set_aside(name, error)
            return False
        self.supersedes |= name.rank.state == State.DELETED or self._base.rank(name.track_id) is not None
        self._add_records(table)
        for key in sorted(rows):
            self._add_rows(key, content_hash, rows[key])
        return True

    def _merge_small_parts(self) -> set[str]:
        """Merge the parts that are small beside what is new; return the names of those that are replaced."""
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
                    # The part stays in the manifest; entries that were merged from it before are then stored twice.
                    self._report(error)
                else:
                    replaced.add(part.name)
        return replaced

    def _merge_part(self, part: PartEntry) -> None:
        with open_file(self._layout.parts / part.name) as file:
            if part.kind == TRACKS:
                table = RecordTable.read(file)
                for row in range(len(table)):
                    table.check(row)
                self._add_records(table.select([row for row in range(len(table)) if self._is_current(table, row)]))
                return
            family = FamilyTable(file, part.kind)
            # A content that two writers stored at once is kept once.
            new = [at for at, content in enumerate(family.contents) if (content, part.kind) not in self._merged]
            for content_hash, rows in family.iter_rows(new):
                self._add_rows(part.kind, content_hash, rows)

    def _is_current(self, table: RecordTable, row: int) -> bool:
        """Return whether a record of a part is superseded neither by another part nor by a merged segment."""
        track_id, rank = table.track_id(row), table.rank(row)
        best = self._base.rank(track_id)
        return (best is None or best <= rank) and self._best.get(track_id, rank) <= rank

    def _add_records(self, table: RecordTable) -> None:
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
        """Move a damaged segment out of the inbox, so that its track counts as not extracted and is extracted again."""
        set_aside(self._layout, self._layout.inbox / name.path)
        self._report(error)

    def _report(self, error: DamagedError) -> None:
        log.warning("%s", error)
        self.damaged.append(str(error))


def set_aside(layout: Layout, path: Path) -> None:
    """Move a damaged file to `damaged/`, durably; fine when it is gone. Raises `StoreError`."""
    with durable.store_errors(path, "be set aside"), suppress(FileNotFoundError):
        path.replace(layout.damaged / path.name)
        durable.sync_path(layout.damaged)
        durable.sync_path(path.parent)
