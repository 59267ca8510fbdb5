"""Where the parts of a manifest have each record and the rows of each content; loaded once per part and process."""

from collections.abc import Iterator, Mapping
from functools import cached_property, partial

import numpy as np

from pipeline.arrays import Int32
from pipeline.errors import StoreError
from pipeline.text import printable
from storage.filestore.format.families import CONTENT, read_contents
from storage.filestore.format.hdf5 import DamagedError, open_file
from storage.filestore.format.records import ROW, rank_of, read_rows
from storage.filestore.layout import Layout, Manifest, PartEntry
from storage.filestore.sorted_entries import Place, SortedEntries, allocate, prefix_range, prefixes, select
from storage.ids import pack, unpack
from storage.rules import Rank, State

TRACKS = "tracks"
"""The kind of the parts that hold records."""

_DESCRIBING = np.array([state in {State.EXTRACTED, State.DELETED} for state in State])
"""By state, whether a record may describe its content, as in `rules.describes_content`."""

_RANK = np.dtype([(name, ROW[name]) for name in ("track_id", "sequence", "state", "content_hash", "has_content")])
"""The fields that decide which record of a track counts."""

_CONTENT_HASH = np.dtype([("content_hash", CONTENT["content_hash"])])


class PartsIndex:
    """The index of the parts of one manifest; never changes."""

    def __init__(
        self, generation: int, manifest: Manifest, tracks: SortedEntries, families: Mapping[str, SortedEntries]
    ) -> None:
        self.generation = generation
        self.manifest = manifest
        self._tracks = tracks
        self._families = families
        ids = self._tracks.entries["track_id"]
        # The last of several records of a track is the one of the highest rank.
        self._is_current = np.ones(len(ids), bool)
        self._is_current[:-1] = (self._tracks.prefix[1:] != self._tracks.prefix[:-1]) | (ids[1:] != ids[:-1])

    def rank(self, track_id: str) -> Rank | None:
        """Return the rank of the record that counts for a track, or None when there is none."""
        at = self._tracks.find(pack(track_id))
        return rank_of(self._tracks.entries[at[-1]]) if at else None

    def record(self, track_id: str, rank: Rank | None = None) -> Place | None:
        """Return where a record of a track is: the one that counts, or the one of a rank, superseded or not."""
        for at in reversed(self._tracks.find(pack(track_id))):
            if rank is None or rank_of(self._tracks.entries[at]) == rank:
                return self._tracks.place(at)
        return None

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content."""
        packed = pack(content_hash)
        return frozenset(key for key, entries in self._families.items() if entries.find(packed))

    def tracks_of(self, content_hash: str) -> list[str]:
        """Return the tracks with a record, superseded or not, that describes a content, ascending."""
        prefix, order = self._by_content
        packed = pack(content_hash)
        near = order[slice(*prefix_range(prefix, packed))]
        entries = self._tracks.entries[np.sort(near)]
        matches = entries["has_content"] & _DESCRIBING[entries["state"]] & (entries["content_hash"] == packed)
        return [unpack(packed_id) for packed_id in entries["track_id"][np.flatnonzero(matches)]]

    @cached_property
    def _by_content(self) -> tuple[np.ndarray, Int32]:
        """The records sorted by content: the prefixes of the contents, ascending, and the positions of the records.

        Made when it is first needed, as only processes that extract look contents up.
        """
        prefix = prefixes(self._tracks.entries["content_hash"])
        order = np.argsort(prefix, kind="stable")
        positions = allocate(len(order), np.dtype(np.int32))
        positions[:] = order
        return select(prefix, order), positions

    def rows(self, family_key: str, content_hash: str) -> Place | None:
        """Return where the rows of a content are, or None when no part has them."""
        entries = self._families.get(family_key)
        at = entries.find(pack(content_hash)) if entries is not None else None
        return entries.place(at[0]) if entries is not None and at else None

    def current_rows(self) -> dict[str, list[int]]:
        """Return the rows of the records that count, ascending, by part in the manifest's order."""
        tracks = self._tracks
        at = np.sort(tracks.at[self._is_current])
        cuts = np.searchsorted(at, tracks.begins)
        return {name: (at[cuts[p] : cuts[p + 1]] - tracks.begins[p]).tolist() for p, name in enumerate(tracks.names)}

    def count(self) -> int:
        """Return how many tracks have a record."""
        return int(np.count_nonzero(self._is_current))

    def for_manifest(self, layout: Layout, generation: int, manifest: Manifest) -> "PartsIndex":
        """Return the index of another manifest; parts that both have are not read again.

        Raises `StoreError` naming the file that cannot be read.
        """
        by_kind: dict[str, list[PartEntry]] = {TRACKS: []}
        # Condemned parts are not indexed (see `retention`), so that no writer relies on their contents any more.
        for entry in manifest.visible:
            by_kind.setdefault(entry.kind, []).append(entry)
        load = partial(_load, layout)
        tracks = self._tracks.for_parts(by_kind.pop(TRACKS), load)
        families = {
            kind: self._families.get(kind, SortedEntries.empty(_CONTENT_HASH)).for_parts(parts, load)
            for kind, parts in by_kind.items()
        }
        return PartsIndex(generation, manifest, tracks, families)


EMPTY = PartsIndex(0, Manifest(), SortedEntries.empty(_RANK), {})
"""The index of a store without a part."""


class Indexes:
    """The indexes of one store in this process. Safe from threads: a reference is replaced, never a value changed."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._newest: PartsIndex | None = None

    def newest(self) -> PartsIndex:
        """Return the index of the newest manifest, loaded only when there is a newer one than the last time.

        Raises `StoreError` naming the file that cannot be read.
        """
        cached = self._newest
        # Numbers are consecutive, and removed from the low end: two look-ups decide whether ours is still the newest.
        if cached is not None:
            present, next_one = (self._layout.has_manifest(cached.generation + step) for step in (0, 1))
            if present and not next_one:
                return cached
        generations = self._layout.generations()
        if not generations:
            raise StoreError(f"{printable(str(self._layout.root))}: the store has no manifest; restore it from a copy")
        number = generations[-1]
        self._newest = newest = (cached or EMPTY).for_manifest(self._layout, number, self._layout.manifest(number))
        return newest

    def after(self, generation: int) -> Iterator[PartsIndex]:
        """Yield the indexes of the manifests after one, in order."""
        newest = self.newest()
        for number in self._layout.generations():
            manifest = self._layout.find_manifest(number) if generation < number < newest.generation else None
            if manifest is not None:
                yield newest.for_manifest(self._layout, number, manifest)
        if newest.generation > generation:
            yield newest


def _load(layout: Layout, part: PartEntry) -> np.ndarray:
    """Return the entries of a part, dtype `_RANK` or `_CONTENT_HASH`. Raises `StoreError` naming the file."""
    with open_file(layout.parts / part.name) as file:
        stored = read_rows(file) if part.kind == TRACKS else read_contents(file, part.kind)
        if len(stored) != part.entries:
            raise DamagedError(f"it holds {len(stored)} entries, the manifest says {part.entries}")
    entries = np.empty(len(stored), _RANK if part.kind == TRACKS else _CONTENT_HASH)
    for name in entries.dtype.names or ():
        entries[name] = stored[name]
    return entries
