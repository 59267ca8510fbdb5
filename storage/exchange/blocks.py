"""What is exported: a family's rows block by block, each with its tracks, and what is known before the first one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.arrays import Bool, Int64
from pipeline.features.spec import FeatureRows, FeatureSpec
from storage.features.reader import Features, pack_contents
from storage.features.rows import Track
from storage.filestore.rows.extents import Extents, locate
from storage.filestore.rows.pieces import blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows that follow each other; `track` (rows,) is each row's track as a position in `tracks`.

    `first` is the number of the first of these tracks among all; the last one may come again in the next block.
    """

    rows: FeatureRows
    tracks: list[Track]
    track: Int64
    first: int


class Writer(Protocol):
    """A file of some format that is being written."""

    def add(self, block: Block) -> None:
        """Write the next rows."""
        ...

    def close(self) -> None:
        """Write what comes last; the file is whole now."""
        ...


class Source:
    """The rows of one family of a home: all tracks that have them, in the store's order."""

    def __init__(self, features: Features, family: str) -> None:
        self.spec: FeatureSpec = features.spec(family)
        self._features = features
        labels: set[str] = set()
        everything = locate(features.layout, self.spec.key)
        at = everything.find(pack_contents(_noting(features.each_track(), labels)))
        self._has: Bool = at >= 0
        self._extents: Extents = everything.select(at[self._has])
        self.classes = tuple(sorted(labels))
        """The labels of all tracks, sorted; a class index is a position here."""
        self.rows = int(self._extents.rows.sum())
        self.tracks = len(self._extents)

    def blocks(self, *, block_bytes: int) -> Iterator[Block]:
        """Yield all rows, some `block_bytes` at a time. Raises `StoreError` naming what is damaged."""
        tracks = (track for track, has in zip(self._features.each_track(), self._has, strict=True) if has)
        held: list[Track] = []
        first = 0
        for entry, rows in blocks(self._features.layout, self._extents, self.spec, block_bytes=block_bytes):
            low, high = int(entry[0]), int(entry[-1])
            while first + len(held) <= high:
                held.append(next(tracks))
            del held[: low - first]
            first = low
            yield Block(rows=rows, tracks=list(held), track=(entry - first).astype(np.int64), first=first)


def _noting(tracks: Iterator[Track], labels: set[str]) -> Iterator[Track]:
    for track in tracks:
        if track.label is not None:
            labels.add(track.label)
        yield track
