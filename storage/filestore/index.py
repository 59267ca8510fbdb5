"""Where in the parts everything is: sorted columns of ids, loaded once per part and process."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Int64
from pipeline.errors import StoreError
from pipeline.tracks import printable
from storage.filestore.hdf5 import reading
from storage.filestore.layout import Layout, Manifest, PartEntry
from storage.filestore.schema import ROW, Ids, pack, read_contents, read_rows, unpack
from storage.rules import Rank

TRACKS = "tracks"
"""The kind of the parts that hold records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A record, or a content's rows, in a part."""

    part: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """Ids in ascending order, each with its part (a position in `parts`) and its row there."""

    ids: Ids
    part: Int64
    row: Int64
    parts: tuple[str, ...]

    def find(self, packed: bytes) -> range:
        """Return the positions of an id."""
        key = np.array([packed], dtype="S16")
        first, last = (int(np.searchsorted(self.ids, key, side)[0]) for side in ("left", "right"))
        return range(first, last)

    def place(self, at: int) -> Place:
        return Place(part=self.parts[self.part[at]], row=int(self.row[at]))


class PartsIndex:
    """What the parts of one manifest hold; never changes."""

    def __init__(self, generation: int, manifest: Manifest, columns: dict[str, np.ndarray]) -> None:
        self.generation = generation
        self.manifest = manifest
        self._columns = columns
        by_kind: dict[str, list[PartEntry]] = {}
        for entry in manifest.parts:
            by_kind.setdefault(entry.kind, []).append(entry)
        self._ranks, self._tracks = _sort_tracks(by_kind.pop(TRACKS, []), columns)
        self._families = {key: _sort_contents(entries, columns) for key, entries in by_kind.items()}

    def rank(self, track_id: str) -> Rank | None:
        """Return the rank of the record that counts for a track, or None when there is none."""
        found = self._tracks.find(pack(track_id))
        return self._rank(found[-1]) if found else None

    def record(self, track_id: str, wanted: Rank | None = None) -> Place | None:
        """Return where the record of a track is: the one that counts, or the one of a rank, superseded or not."""
        found = self._tracks.find(pack(track_id))
        for at in reversed(found):
            if wanted is None or self._rank(at) == wanted:
                return self._tracks.place(at)
        return None

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content."""
        packed = pack(content_hash)
        return frozenset(key for key, contents in self._families.items() if contents.find(packed))

    def tracks_of(self, content_hash: str) -> list[str]:
        """Return the tracks that have, or once had, a content; a pass over all records, some ms for a million."""
        rows = self._ranks
        alike = rows["has_content"] & rows["succeeded"] & (rows["content_hash"] == pack(content_hash))
        return [unpack(row) for row in rows["track_id"][np.flatnonzero(alike)]]

    def rows(self, family_key: str, content_hash: str) -> Place | None:
        """Return where the rows of a content are."""
        contents = self._families.get(family_key)
        found = contents.find(pack(content_hash)) if contents is not None else None
        return contents.place(found[0]) if contents is not None and found else None

    def winners(self) -> dict[str, list[int]]:
        """Return the rows of the records that count, ascending, by part in the manifest's order."""
        tracks = self._tracks
        if not len(tracks.ids):
            return {}
        last = np.append(tracks.ids[1:] != tracks.ids[:-1], True)
        part, row = tracks.part[last], tracks.row[last]
        return {name: np.sort(row[part == at]).tolist() for at, name in enumerate(tracks.parts)}

    def count(self) -> int:
        """Return how many tracks have a record."""
        return len(np.unique(self._tracks.ids))

    def columns_of(self, part: str) -> np.ndarray | None:
        """Return the columns loaded for a part, so that the next index need not load them again."""
        return self._columns.get(part)

    def _rank(self, at: int) -> Rank:
        row = self._ranks[at]
        known = unpack(row["content_hash"]) if row["has_content"] else ""
        return Rank(int(row["sequence"]), bool(row["succeeded"]), known)


class Indexes:
    """The indexes of one store in this process. Safe from threads: what is replaced is only a reference."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._newest: PartsIndex | None = None

    def newest(self) -> PartsIndex:
        """Return the index of the newest manifest, loaded again only when there is a newer one.

        Raises `StoreError` naming the file that cannot be read.
        """
        held = self._newest
        # Numbers are consecutive, and collected from the low end: two look-ups tell whether ours is still the newest.
        if held is not None:
            present, next_one = (self._layout.has_manifest(held.generation + step) for step in (0, 1))
            if present and not next_one:
                return held
        generations = self._layout.generations()
        if not generations:
            raise StoreError(f"{printable(str(self._layout.root))}: the store has no manifest; restore it from a copy")
        manifest = self._layout.manifest(generations[-1])
        self._newest = newest = load_index(self._layout, generations[-1], manifest, held)
        return newest

    def after(self, generation: int) -> Iterator[PartsIndex]:
        """Yield the indexes of the manifests that came after one, in order."""
        newest = self.newest()
        for number in self._layout.generations():
            manifest = self._layout.find_manifest(number) if generation < number < newest.generation else None
            if manifest is not None:
                yield load_index(self._layout, number, manifest, newest)
        if newest.generation > generation:
            yield newest


def load_index(layout: Layout, generation: int, manifest: Manifest, known: PartsIndex | None) -> PartsIndex:
    """Return the index of a manifest; parts that `known` has are not read again.

    Raises `StoreError` naming the file that cannot be read.
    """
    columns = {}
    for entry in manifest.parts:
        held = known.columns_of(entry.name) if known is not None else None
        columns[entry.name] = _load(layout, entry) if held is None else held
    return PartsIndex(generation, manifest, columns)


_RANK = np.dtype([(name, ROW[name]) for name in ("track_id", "sequence", "succeeded", "content_hash", "has_content")])
"""What decides which record of a track counts."""


def _load(layout: Layout, entry: PartEntry) -> np.ndarray:
    with reading(layout.parts / entry.name) as file:
        if entry.kind != TRACKS:
            return read_contents(file, entry.kind)["content_hash"].copy()
        rows = read_rows(file)
        return rows[list(_RANK.names or ())].astype(_RANK)


def _sort_tracks(entries: list[PartEntry], columns: dict[str, np.ndarray]) -> tuple[np.ndarray, _Sorted]:
    rows = np.concatenate([columns[entry.name] for entry in entries]) if entries else np.zeros(0, _RANK)
    order = np.lexsort((rows["content_hash"], rows["succeeded"], rows["sequence"], rows["track_id"]))
    return rows[order], _sorted(entries, rows["track_id"], order)


def _sort_contents(entries: list[PartEntry], columns: dict[str, np.ndarray]) -> _Sorted:
    hashes = np.concatenate([columns[entry.name] for entry in entries])
    return _sorted(entries, hashes, np.argsort(hashes, kind="stable"))


def _sorted(entries: list[PartEntry], keys: Ids, order: Int64) -> _Sorted:
    counts = [entry.entries for entry in entries]
    part = np.repeat(np.arange(len(entries)), counts)
    row = np.concatenate([np.arange(count) for count in counts]) if counts else np.zeros(0, np.int64)
    names = tuple(entry.name for entry in entries)
    return _Sorted(ids=np.ascontiguousarray(keys[order]), part=part[order], row=row[order], parts=names)
