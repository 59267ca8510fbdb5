"""The rows of a family for export: block by block, each with its tracks, and the totals beforehand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.arrays import Bool, Int64
from pipeline.features.spec import FeatureRows, FeatureSpec
from storage.features.reader import Features
from storage.features.rows import Track
from storage.filestore.rows.extents import Extents, locate
from storage.filestore.rows.pieces import blocks
from storage.ids import ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive rows; `track` (rows,) is each row's track as a position in `tracks`.

    `first` is the number of the first of these tracks among all; the last one may also be in the next block.
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
        """Write the end of the file, and close it."""
        ...


class Source:
    """The rows of one family of a home: all tracks that have them, in the store's order."""

    def __init__(self, features: Features, family: str) -> None:
        self.spec: FeatureSpec = features.spec(family)
        self._features = features
        labels: set[str] = set()
        extents = locate(features.layout, self.spec.key)
        at = extents.find(ids(track.content_hash for track in _collect_labels(features.each_track(), labels)))
        self._has_rows: Bool = at >= 0
        self._extents: Extents = extents.select(at[self._has_rows])
        self.classes = tuple(sorted(labels))
        """The labels of all tracks, sorted; a class index is a position here."""
        self.rows = int(self._extents.rows.sum())
        self.tracks = len(self._extents)

    def blocks(self, *, block_bytes: int) -> Iterator[Block]:
        """Yield all rows, some `block_bytes` at a time. Raises `StoreError` naming what is damaged."""
        tracks = (
            track for track, has_rows in zip(self._features.each_track(), self._has_rows, strict=True) if has_rows
        )
        window: list[Track] = []
        first = 0
        for entry, rows in blocks(self._features.layout, self._extents, self.spec, block_bytes=block_bytes):
            low, high = int(entry[0]), int(entry[-1])
            while first + len(window) <= high:
                window.append(next(tracks))
            del window[: low - first]
            first = low
            yield Block(rows=rows, tracks=list(window), track=(entry - first).astype(np.int64), first=first)


def _collect_labels(tracks: Iterator[Track], labels: set[str]) -> Iterator[Track]:
    """Add the label of each track to a set, and yield the track."""
    for track in tracks:
        if track.label is not None:
            labels.add(track.label)
        yield track
