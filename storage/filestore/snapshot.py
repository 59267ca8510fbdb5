"""The state of a file store at one moment: a manifest's index and the names of the segments in the inbox."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import h5py
import numpy as np

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import TrackRecord
from pipeline.text import printable
from storage.base import Snapshot
from storage.filestore.format.families import FamilyTable
from storage.filestore.format.hdf5 import VanishedError, file_errors, open_file
from storage.filestore.format.records import ROW, RecordTable, read_rows
from storage.filestore.index import Indexes, PartsIndex
from storage.filestore.layout import Layout, SegmentName
from storage.filestore.segments import read_segment
from storage.filestore.sorted_entries import Place
from storage.ids import ids
from storage.rules import Rank, missing_rows_error

_TABLES = 16
"""How many parts' tables of records a snapshot caches."""


class FileSnapshot(Snapshot):
    """Reads what one manifest and one listing of the inbox name; holds no open file.

    A segment that was merged since is found in a later manifest: merging keeps superseded records, and parts outlive
    the manifests that name them by the grace of the collection.
    """

    def __init__(self, layout: Layout, indexes: Indexes, index: PartsIndex, segments: Iterable[SegmentName]) -> None:
        self._layout = layout
        self._indexes = indexes
        self._index = index
        self._tables: dict[str, RecordTable] = {}
        self._by_track: dict[str, SegmentName] = {}
        self._by_content: dict[str, dict[str, SegmentName]] = {}
        for name in segments:
            self._add(name)

    def _add(self, name: SegmentName) -> None:
        """Index a segment: its record where it counts, and the families of its content."""
        known = self._by_track.get(name.track_id)
        best: Rank | None = known.rank if known is not None else self._index.rank(name.track_id)
        if best is None or best < name.rank:
            self._by_track[name.track_id] = name
        families = self._layout.families_in(name)
        if families:
            self._by_content.setdefault(name.rank.content_hash, {}).update(dict.fromkeys(families, name))

    def __len__(self) -> int:
        """Return how many tracks have a record, failed ones included."""
        return self._index.count() + sum(self._index.rank(track_id) is None for track_id in self._by_track)

    def records(self) -> Iterator[TrackRecord]:
        """Yield the record of every track once, part by part."""
        for part, rows in self._index.current_rows().items():
            with self._open_part(part) as file:
                table = RecordTable.read(file)
                records = list((table if len(rows) == len(table) else table.select(rows)).records())
            yield from (record for record in records if record.track_id not in self._by_track)
        for name in sorted(self._by_track.values(), key=lambda name: name.path):
            yield self._of_segment(name)

    def columns(self) -> np.ndarray:
        """Return the fixed-width fields of each track's record, (tracks,), dtype `records.ROW`, in no particular order.

        Takes a tenth of the time of `records`, where neither paths nor failures are needed.
        """
        in_parts = [np.zeros(0, ROW)]
        for part, rows in self._index.current_rows().items():
            with self._open_part(part) as file:
                stored = read_rows(file)
            in_parts.append(stored if len(rows) == len(stored) else stored[rows])
        merged = np.concatenate(in_parts)
        if not self._by_track:
            return merged
        in_inbox = [RecordTable.of(self._of_segment(name)).rows for name in self._by_track.values()]
        return np.concatenate([merged[~np.isin(merged["track_id"], ids(self._by_track))], *in_inbox])

    def record(self, track_id: str) -> TrackRecord | None:
        """Return the record of a track, or None when there is none."""
        name = self._by_track.get(track_id)
        if name is not None:
            return self._of_segment(name)
        place = self._index.record(track_id)
        return self._of_part(place) if place is not None else None

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content; empty for an unknown one."""
        return self._index.families_of(content_hash) | frozenset(self._by_content.get(content_hash, ()))

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return one family's rows of each content, in their order.

        Raises `StoreError` naming what is missing, or the file, content and family whose bytes are damaged.
        """
        in_parts: dict[str, dict[int, str]] = {}
        in_inbox: dict[str, SegmentName] = {}
        missing = []
        for content_hash in dict.fromkeys(content_hashes):
            place = self._index.rows(family_key, content_hash)
            segment = self._by_content.get(content_hash, {}).get(family_key)
            if place is not None:
                in_parts.setdefault(place.part, {})[place.row] = content_hash
            elif segment is not None:
                in_inbox[content_hash] = segment
            else:
                missing.append(content_hash)
        if missing:
            raise missing_rows_error(family_key, missing)
        by_content = self._from_inbox(family_key, in_inbox, in_parts)
        for part in sorted(in_parts):
            with self._open_part(part) as file:
                table = FamilyTable(file, family_key)
                for span in table.spans(sorted(in_parts[part])):
                    contents = [in_parts[part][row] for row in span]
                    by_content.update(zip(contents, table.rows_at(span, contents), strict=True))
        return [by_content[content_hash] for content_hash in content_hashes]

    def _from_inbox(
        self, family_key: str, segments: dict[str, SegmentName], in_parts: dict[str, dict[int, str]]
    ) -> dict[str, FeatureRows]:
        """Return the rows that are in segments; what was merged meanwhile is added to `in_parts` instead."""
        by_content = {}
        for content_hash, name in sorted(segments.items(), key=lambda item: item[1].path):
            try:
                with open_file(self._layout.inbox / name.path) as file:
                    by_content[content_hash] = FamilyTable(file, family_key).rows_of([content_hash])[0]
            except VanishedError:
                place = self._find_merged(name, partial(_find_rows, family_key=family_key, content_hash=content_hash))
                in_parts.setdefault(place.part, {})[place.row] = content_hash
        return by_content

    def _of_segment(self, name: SegmentName) -> TrackRecord:
        """Return the record of a segment, or of the part that it was merged into meanwhile."""
        try:
            table, _ = read_segment(self._layout, name)
        except VanishedError:
            return self._of_part(self._find_merged(name, lambda index: index.record(name.track_id, name.rank)))
        return table.record(0)

    def _of_part(self, place: Place) -> TrackRecord:
        table = self._tables.get(place.part)
        if table is None:
            with self._open_part(place.part) as file:
                table = RecordTable.read(file)
            if len(self._tables) >= _TABLES:
                self._tables.pop(next(iter(self._tables)), None)
            self._tables[place.part] = table
        with file_errors(self._layout.parts / place.part):
            return table.record(place.row)

    def _find_merged(self, name: SegmentName, find: Callable[[PartsIndex], Place | None]) -> Place:
        """Return the place that `find` finds in the first later manifest that has what a merged segment held.

        Raises `StoreError` when there is none.
        """
        for index in self._indexes.after(self._index.generation):
            place = find(index)
            if place is not None:
                return place
        raise StoreError(
            f"{printable(str(self._layout.inbox / name.path))}: went away while it was read; take a new snapshot"
        )

    @contextmanager
    def _open_part(self, part: str) -> Iterator[h5py.File]:
        """Open a part for reading. Raises `StoreError` naming the file, also when it was collected meanwhile."""
        try:
            with open_file(self._layout.parts / part) as file:
                yield file
        except VanishedError as error:
            raise StoreError(f"{error}: the snapshot is older than the collection allows; take a new one") from error


def _find_rows(index: PartsIndex, *, family_key: str, content_hash: str) -> Place | None:
    return index.rows(family_key, content_hash)
