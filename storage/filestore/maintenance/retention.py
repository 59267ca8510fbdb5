"""Retention: dropping the contents that no track refers to any more.

A content is used while the current record of some track names it and is no deletion mark. An unused content is not
dropped at once: its file may come back, and a writer may be about to refer to it. So a part takes three steps, each by
a manifest and each at least the collection's grace after the one before:

    unused      no track refers to its contents; they are still found, so that a file that comes back is not extracted
                again
    condemned   its contents are not found any more; a writer that found them before has time to commit
    dropped     no manifest names it; the collection removes the file

Contents that are used again are copied to a new part at any step. A part of which a quarter is unused is split into a
used and an unused part, so that a row is rewritten a few times at most; a part of records is rewritten when more than
half of them are superseded.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Literal, NamedTuple

import numpy as np

from storage.filestore.format.families import FamilyTable, read_contents
from storage.filestore.format.hdf5 import open_file
from storage.filestore.format.records import RecordTable
from storage.filestore.index import TRACKS, Indexes, PartsIndex
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName
from storage.filestore.parts import PartsWriter
from storage.filestore.snapshot import FileSnapshot
from storage.ids import Ids, positions
from storage.rules import State


class RetireResult(NamedTuple):
    """The result of one pass."""

    state: Literal["done", "nothing", "lost"]
    contents: int = 0
    """How many condemned contents of families were dropped."""


def retire(
    layout: Layout,
    indexes: Indexes,
    base: PartsIndex,
    segments: Iterable[SegmentName],
    *,
    now_s: float,
    unused_s: float,
    grace_s: float,
    part_entries: int,
) -> RetireResult:
    """Take the next step of each part of a manifest that is due, and publish the result.

    `segments` must have been listed before `base` was read. Raises `VanishedError` when another compactor published
    meanwhile, `StoreError` when files cannot be read or written; the store is then as it was.
    """
    used = _used_contents(FileSnapshot(layout, indexes, base, segments))
    with ExitStack() as undo:
        used_writer, unused_writer = (PartsWriter(layout, part_entries=part_entries) for _ in range(2))
        undo.callback(used_writer.discard)
        undo.callback(unused_writer.discard)
        steps = _Steps(layout, base, used, used_writer, unused_writer)
        stepped = [steps.step(part, now_s, unused_s, grace_s) for part in base.manifest.parts]
        kept = [part for part in stepped if part is not None]
        written = used_writer.finish()
        unused = [part.replace(unused_since_s=now_s) for part in unused_writer.finish()]
        parts = (*kept, *written, *unused)
        if parts == base.manifest.parts:
            return RetireResult("nothing")
        # A publication that reports an error may have succeeded: the parts then stay for the collection.
        unpublished = undo.pop_all()
        if not layout.publish_manifest(base.generation + 1, Manifest(parts=parts)):
            unpublished.close()
            return RetireResult("lost")
        return RetireResult("done", steps.dropped)


class _Steps:
    """The steps of the parts of one manifest; a mask `used` (contents,) says which contents of a part are used."""

    def __init__(
        self, layout: Layout, base: PartsIndex, used: Ids, used_writer: PartsWriter, unused_writer: PartsWriter
    ) -> None:
        self.dropped = 0
        self._layout = layout
        self._base = base
        self._used = used
        self._current_rows = base.current_rows()
        self._used_writer = used_writer
        self._unused_writer = unused_writer

    def step(self, part: PartEntry, now_s: float, unused_s: float, grace_s: float) -> PartEntry | None:
        """Return the new manifest entry of a part, or None when it is dropped or was rewritten."""
        if part.kind == TRACKS:
            return self._step_records(part)
        used = self._used_mask(part)
        if part.unused_since_s is None:
            return self._step_used(part, used, now_s)
        if part.condemned_since_s is not None:
            return self._step_condemned(part, used, due=now_s - part.condemned_since_s > grace_s)
        return self._step_unused(part, used, now_s, due=now_s - part.unused_since_s > unused_s)

    def _step_used(self, part: PartEntry, used: np.ndarray, now_s: float) -> PartEntry | None:
        unused = int((~used).sum())
        if 4 * unused < max(part.entries, 1):
            return part
        if unused == part.entries:
            return part.replace(unused_since_s=now_s)
        self._copy(part, used, self._used_writer)
        self._copy(part, ~used, self._unused_writer)
        return None

    def _step_unused(self, part: PartEntry, used: np.ndarray, now_s: float, *, due: bool) -> PartEntry | None:
        if used.all():
            return part.replace(unused_since_s=None)
        if not due:
            return part
        self._copy(part, used, self._used_writer)
        return part.replace(condemned_since_s=now_s)

    def _step_condemned(self, part: PartEntry, used: np.ndarray, *, due: bool) -> PartEntry | None:
        # Used by a writer that found the content before it was condemned.
        missing = used & ~self._elsewhere_mask(part)
        self._copy(part, missing, self._used_writer)
        if not due:
            return part
        self.dropped += int((~used).sum())
        return None

    def _step_records(self, part: PartEntry) -> PartEntry | None:
        current = self._current_rows.get(part.name, [])
        if 2 * len(current) >= part.entries:
            return part
        with open_file(self._layout.parts / part.name) as file:
            table = RecordTable.read(file).select(current)
            for row in range(len(table)):
                table.check(row)
        if current:
            self._used_writer.add_records(table)
        return None

    def _used_mask(self, part: PartEntry) -> np.ndarray:
        """Return of each content of a part whether it is used, (contents,) bool."""
        with open_file(self._layout.parts / part.name) as file:
            contents = read_contents(file, part.kind)["content_hash"]
        # Not np.isin, which would sort all used contents again for each part.
        mask: np.ndarray = positions(self._used, contents) >= 0
        return mask

    def _elsewhere_mask(self, part: PartEntry) -> np.ndarray:
        """Return of each content of a part whether another part that is not condemned has it too, (contents,) bool."""
        with open_file(self._layout.parts / part.name) as file:
            contents = FamilyTable(file, part.kind).contents
        return np.array([part.kind in self._base.families_of(content) for content in contents], bool)

    def _copy(self, part: PartEntry, mask: np.ndarray, writer: PartsWriter) -> None:
        at = np.flatnonzero(mask).tolist()
        if not at:
            return
        spec = self._layout.spec(part.kind)
        with open_file(self._layout.parts / part.name) as file:
            for content_hash, rows in FamilyTable(file, part.kind).iter_rows(at):
                writer.add_rows(spec, content_hash, rows)


def _used_contents(snapshot: FileSnapshot) -> Ids:
    """Return the contents that some track refers to, ascending."""
    rows = snapshot.columns()
    return np.unique(rows["content_hash"][(rows["state"] != State.DELETED) & (rows["has_content"] != 0)])


def is_due(parts: Iterable[PartEntry], *, now_s: float, unused_s: float) -> bool:
    """Return whether some part is due for its next step.

    A condemned part always is, as a writer that found its contents before may have referred to them since.
    """
    return any(
        part.unused_since_s is not None
        and (part.condemned_since_s is not None or now_s - part.unused_since_s > unused_s)
        for part in parts
    )
