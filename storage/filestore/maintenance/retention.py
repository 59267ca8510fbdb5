"""Giving back the space of contents that no track refers to any more.

A content is used while the record that counts for some track, unless a deletion mark, names it. What is unused is not
dropped at once: its file may come back, and a writer may be about to refer to it. So a part goes three steps, each by
a manifest and each a collection's grace or more after the one before:

    unused      nobody refers to it; it serves whoever asks, so that a file that comes back is not computed again
    condemned   nobody is told of it any more; whoever saw it before has had the time to commit by the next step
    dropped     no manifest names it; the collection takes the file

What is used again at any step is moved back. A part is parted into what is used and what is not when a quarter of it
is unused, so that a row is rewritten a few times at most; records that were superseded go with half of their part.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Literal, NamedTuple

import numpy as np

from storage.filestore.format.codec import Ids
from storage.filestore.format.families import FamilyTable, read_contents
from storage.filestore.format.hdf5 import reading
from storage.filestore.format.records import Tracks
from storage.filestore.index import TRACKS, Indexes, PartsIndex
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName
from storage.filestore.parts import PartsWriter
from storage.filestore.snapshot import FileSnapshot
from storage.rules import State


class Retired(NamedTuple):
    """What one pass did."""

    state: Literal["done", "nothing", "lost"]
    contents: int = 0
    """Contents of families that nobody was told of any more, and went."""


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
) -> Retired:
    """Let the parts of a manifest take their next step, and publish what came of it.

    `segments` must have been listed before `base` was read. Raises `VanishedError` when another compactor is ahead,
    `StoreError` when files cannot be read or written; the store is then as it was.
    """
    used = _used(FileSnapshot(layout, indexes, base, segments))
    with ExitStack() as undo:
        keeping, parting = (PartsWriter(layout, part_entries=part_entries) for _ in range(2))
        undo.callback(keeping.discard)
        undo.callback(parting.discard)
        steps = _Steps(layout, base, used, keeping, parting)
        stepped = [steps.step(part, now_s, unused_s, grace_s) for part in base.manifest.parts]
        left = [part for part in stepped if part is not None]
        kept = keeping.finish()
        unused = [part.replace(unused_since_s=now_s) for part in parting.finish()]
        parts = (*left, *kept, *unused)
        if parts == base.manifest.parts:
            return Retired("nothing")
        # A publication that fails may have been made all the same: the parts then stay for the collection.
        unseen = undo.pop_all()
        if not layout.publish_manifest(base.generation + 1, Manifest(parts=parts)):
            unseen.close()
            return Retired("lost")
        return Retired("done", steps.dropped)


class _Steps:
    """The steps of the parts of one manifest."""

    def __init__(self, layout: Layout, base: PartsIndex, used: Ids, keeping: PartsWriter, parting: PartsWriter) -> None:
        self.dropped = 0
        self._layout = layout
        self._base = base
        self._used = used
        self._winners = base.winners()
        self._keeping = keeping
        self._parting = parting

    def step(self, part: PartEntry, now_s: float, unused_s: float, grace_s: float) -> PartEntry | None:
        """Return what a part is from now on, or None when it goes or was rewritten."""
        if part.kind == TRACKS:
            return self._records(part)
        used = self._which(part)
        if part.unused_since_s is None:
            return self._live(part, used, now_s)
        if part.condemned_since_s is not None:
            return self._condemned(part, used, due=now_s - part.condemned_since_s > grace_s)
        return self._unused(part, used, now_s, due=now_s - part.unused_since_s > unused_s)

    def _unused(self, part: PartEntry, used: np.ndarray, now_s: float, *, due: bool) -> PartEntry | None:
        if used.all():
            return part.replace(unused_since_s=None)
        if not due:
            return part
        self._copy(part, used, self._keeping)
        return part.replace(condemned_since_s=now_s)

    def _condemned(self, part: PartEntry, used: np.ndarray, *, due: bool) -> PartEntry | None:
        # Somebody who saw it before it was condemned referred to it since.
        missing = used & ~self._known(part)
        self._copy(part, missing, self._keeping)
        if not due:
            return part
        self.dropped += int((~used).sum())
        return None

    def _records(self, part: PartEntry) -> PartEntry | None:
        counting = self._winners.get(part.name, [])
        if 2 * len(counting) >= part.entries:
            return part
        with reading(self._layout.parts / part.name) as file:
            table = Tracks.read(file).take(counting)
            for row in range(len(table)):
                table.check(row)
        if counting:
            self._keeping.add_records(table)
        return None

    def _live(self, part: PartEntry, used: np.ndarray, now_s: float) -> PartEntry | None:
        unused = int((~used).sum())
        if 4 * unused < max(part.entries, 1):
            return part
        if unused == part.entries:
            return part.replace(unused_since_s=now_s)
        self._copy(part, used, self._keeping)
        self._copy(part, ~used, self._parting)
        return None

    def _which(self, part: PartEntry) -> np.ndarray:
        """Return of each content of a part whether it is used."""
        with reading(self._layout.parts / part.name) as file:
            contents = read_contents(file, part.kind)["content_hash"]
        # Not np.isin, which would sort all that is used again for each part.
        at = np.searchsorted(self._used, contents)
        found = at < len(self._used)
        found[found] = self._used[at[found]] == contents[found]
        return found

    def _known(self, part: PartEntry) -> np.ndarray:
        """Return of each content of a part whether another part that is not condemned has it too."""
        with reading(self._layout.parts / part.name) as file:
            contents = FamilyTable(file, part.kind).contents
        return np.array([part.kind in self._base.families_of(content) for content in contents], bool)

    def _copy(self, part: PartEntry, which: np.ndarray, writer: PartsWriter) -> None:
        at = np.flatnonzero(which).tolist()
        if not at:
            return
        spec = self._layout.spec(part.kind)
        with reading(self._layout.parts / part.name) as file:
            for content_hash, rows in FamilyTable(file, part.kind).each(at):
                writer.add_rows(spec, content_hash, rows)


def _used(snapshot: FileSnapshot) -> Ids:
    """Return the contents that some track refers to, ascending."""
    rows = snapshot.columns()
    return np.unique(rows["content_hash"][(rows["state"] != State.DELETED) & (rows["has_content"] != 0)])


def due(parts: Iterable[PartEntry], *, now_s: float, unused_s: float) -> bool:
    """Return whether the time of some part has come, whatever was merged.

    What is condemned is always looked at: a writer that saw it before may just have referred to it.
    """
    return any(
        part.unused_since_s is not None
        and (part.condemned_since_s is not None or now_s - part.unused_since_s > unused_s)
        for part in parts
    )
