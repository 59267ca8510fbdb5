"""Where in the parts everything is: columns in the order of ids, loaded once per part and process.

Ids are hashes: their first eight bytes, as a number, sort and find them as well as all sixteen and ten times faster.
The few that share a prefix lie next to each other and are told apart by the rest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any, Self

import numpy as np

from pipeline.arrays import Bool, Int32, Int64
from pipeline.errors import StoreError
from pipeline.text import printable
from storage.filestore.format.codec import Ids, pack, unpack
from storage.filestore.format.families import read_contents
from storage.filestore.format.hdf5 import DamagedError, reading
from storage.filestore.format.records import ROW, read_rows
from storage.filestore.layout import Layout, Manifest, PartEntry
from storage.rules import Rank, State

TRACKS = "tracks"
"""The kind of the parts that hold records."""

_DESCRIBING = np.array([state in {State.EXTRACTED, State.DELETED} for state in State])
"""By state, whether a record may tell what decoding its content tells."""

_RANK = np.dtype([(name, ROW[name]) for name in ("track_id", "sequence", "state", "content_hash", "has_content")])
"""What decides which record of a track counts."""

_CONTENT = np.dtype([("content_hash", "S16")])

_HALVES = np.dtype([("first", ">u8"), ("rest", ">u8")])
"""An id as two numbers."""

Prefixes = np.ndarray[tuple[int], np.dtype[np.uint64]]
"""The first eight bytes of ids, as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A record, or a content's rows, in a part."""

    part: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """The entries of the parts of one kind, by id; those of one id by what else they tell, then as the parts lie.

    `prefix` (n,) ascends; `entries` (n,) are structured, the id first; `at` (n,) is where each is among all entries of
    the parts end to end, of which those of part `names[p]` begin at `begins[p]`.
    """

    names: tuple[str, ...]
    begins: Int64
    prefix: Prefixes
    entries: np.ndarray
    at: Int32

    @classmethod
    def empty(cls, dtype: np.dtype[np.void]) -> Self:
        """Return the entries of no part."""
        none = np.zeros(0, dtype)
        return cls(
            names=(),
            begins=np.zeros(1, np.int64),
            prefix=_prefixes(none[_id_of(none)]),
            entries=none,
            at=np.zeros(0, np.int32),
        )

    def of(self, parts: Sequence[PartEntry], load: Callable[[PartEntry], np.ndarray]) -> Self:
        """Return the entries of some parts; those that are here too are kept in their order and not loaded again.

        What a manifest adds is little beside what is there, so only that is sorted, and put in between.
        """
        begins = np.cumsum([0, *(part.entries for part in parts)])
        here = dict(zip(self.names, self.begins.tolist(), strict=False))
        moved = np.full(len(self.at), -1, np.int32)
        new = [(np.zeros(0, self.entries.dtype), np.zeros(0, np.int32))]
        for part, begin in zip(parts, begins.tolist(), strict=False):
            at = np.arange(begin, begin + part.entries, dtype=np.int32)
            if part.name in here:
                moved[here[part.name] : here[part.name] + part.entries] = at
            else:
                new.append((load(part), at))
        at = moved[self.at]
        kept = np.flatnonzero(at >= 0)
        coming, coming_at = (np.concatenate(column) for column in zip(*new, strict=True))
        prefix = _prefixes(coming[_id_of(coming)])
        order = np.argsort(prefix, kind="stable")
        prefix = prefix[order]
        kept_prefix = _taken(self.prefix, kept)
        stays = np.ones(begins[-1], bool)
        stays[kept_prefix.searchsorted(prefix, "right") + np.arange(len(prefix))] = False
        found = type(self)(
            names=tuple(part.name for part in parts),
            begins=begins,
            prefix=_merged(stays, kept_prefix, prefix),
            entries=_merged(stays, _taken(self.entries, kept), coming[order]),
            at=_merged(stays, _taken(at, kept), coming_at[order]),
        )
        found._settle()
        return found

    def _settle(self) -> None:
        """Put the entries that share a prefix in order."""
        alike = np.zeros(len(self.at), bool)
        alike[1:] = self.prefix[1:] == self.prefix[:-1]
        alike[:-1] |= alike[1:]
        among = np.flatnonzero(alike)
        near = self.entries[among]
        columns = [near[name] for name in reversed(near.dtype.names or ())]
        order = among[np.lexsort((self.at[among], *columns, self.prefix[among]))]
        self.entries[among], self.at[among] = self.entries[order], self.at[order]

    def find(self, packed: bytes) -> list[int]:
        """Return the positions of an id, ascending."""
        first, last = _between(self.prefix, packed)
        # NumPy drops the trailing zero bytes of fixed-length bytes.
        told = packed.rstrip(b"\0")
        return [at for at in range(first, last) if self.entries[at][0] == told]

    def place(self, position: int) -> Place:
        """Return where an entry is."""
        at = int(self.at[position])
        part = int(self.begins.searchsorted(at, "right")) - 1
        return Place(part=self.names[part], row=at - int(self.begins[part]))


def _merged(stays: Bool, kept: np.ndarray, coming: np.ndarray) -> np.ndarray:
    """Return what is kept at the places that stay, and what is coming at the others."""
    found = _room(len(stays), kept.dtype)
    found[stays], found[~stays] = kept, coming
    return found


def _taken(array: np.ndarray, at: Int64) -> np.ndarray:
    """Return the elements at some positions."""
    found = _room(len(at), array.dtype)
    # Any mode but the default writes to its place at once.
    np.take(array, at, out=found, mode="clip")
    return found


def _room(length: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an empty array in memory of its own, which goes back to the system as soon as nobody holds the array.

    An index lives as long as a manifest. What is allocated and freed again and again at some megabytes, the C library
    keeps in pieces: a worker's memory would grow by three times what its index has.
    """
    if not length:
        return np.empty(0, dtype)
    return np.frombuffer(mmap(-1, length * dtype.itemsize, flags=MAP_PRIVATE | MAP_ANONYMOUS), dtype)


def _id_of(entries: np.ndarray) -> str:
    """Return the name of the column that holds the ids."""
    return (entries.dtype.names or ("",))[0]


def _prefixes(packed: Ids) -> Prefixes:
    """Return the first eight bytes of ids as numbers that sort like the ids, dtype uint64."""
    return packed.view(_HALVES)["first"].astype(np.uint64)


def _between(ascending: Prefixes, packed: bytes) -> tuple[int, int]:
    """Return where the first eight bytes of an id are among ascending ones: the first position, and the one after."""
    wanted = np.uint64(int.from_bytes(packed[:8], "big"))
    return int(ascending.searchsorted(wanted, "left")), int(ascending.searchsorted(wanted, "right"))


class PartsIndex:
    """What the parts of one manifest hold; never changes."""

    def __init__(self, generation: int, manifest: Manifest, tracks: _Sorted, families: Mapping[str, _Sorted]) -> None:
        self.generation = generation
        self.manifest = manifest
        self._tracks = tracks
        self._families = families
        same = self._tracks.entries["track_id"]
        # The last of several records of a track counts.
        self._counts = np.ones(len(same), bool)
        self._counts[:-1] = (self._tracks.prefix[1:] != self._tracks.prefix[:-1]) | (same[1:] != same[:-1])

    def rank(self, track_id: str) -> Rank | None:
        """Return the rank of the record that counts for a track, or None when there is none."""
        found = self._tracks.find(pack(track_id))
        return self._rank(found[-1]) if found else None

    def record(self, track_id: str, wanted: Rank | None = None) -> Place | None:
        """Return where the record of a track is: the one that counts, or the one of a rank, superseded or not."""
        for at in reversed(self._tracks.find(pack(track_id))):
            if wanted is None or self._rank(at) == wanted:
                return self._tracks.place(at)
        return None

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content."""
        packed = pack(content_hash)
        return frozenset(key for key, held in self._families.items() if held.find(packed))

    def tracks_of(self, content_hash: str) -> list[str]:
        """Return the tracks that have, or once had, a content, ascending."""
        prefix, order = self._by_content
        packed = pack(content_hash)
        near = order[slice(*_between(prefix, packed))]
        rows = self._tracks.entries[np.sort(near)]
        alike = rows["has_content"] & _DESCRIBING[rows["state"]] & (rows["content_hash"] == packed)
        return [unpack(row) for row in rows["track_id"][np.flatnonzero(alike)]]

    @cached_property
    def _by_content(self) -> tuple[np.ndarray, Int32]:
        """The records in the order of their contents: the prefixes, ascending, and the positions of the records.

        Only processes that extract ask for it.
        """
        prefix = _prefixes(self._tracks.entries["content_hash"])
        order = np.argsort(prefix, kind="stable")
        positions = _room(len(order), np.dtype(np.int32))
        positions[:] = order
        return _taken(prefix, order), positions

    def rows(self, family_key: str, content_hash: str) -> Place | None:
        """Return where the rows of a content are."""
        held = self._families.get(family_key)
        found = held.find(pack(content_hash)) if held is not None else None
        return held.place(found[0]) if held is not None and found else None

    def winners(self) -> dict[str, list[int]]:
        """Return the rows of the records that count, ascending, by part in the manifest's order."""
        tracks = self._tracks
        at = np.sort(tracks.at[self._counts])
        cuts = np.searchsorted(at, tracks.begins)
        return {name: (at[cuts[p] : cuts[p + 1]] - tracks.begins[p]).tolist() for p, name in enumerate(tracks.names)}

    def count(self) -> int:
        """Return how many tracks have a record."""
        return int(np.count_nonzero(self._counts))

    def moved_on(self, layout: Layout, generation: int, manifest: Manifest) -> "PartsIndex":
        """Return the index of another manifest; parts that both have are not read again.

        Raises `StoreError` naming the file that cannot be read.
        """
        by_kind: dict[str, list[PartEntry]] = {TRACKS: []}
        # Nobody is told of what is condemned (see `retiring`), so that nobody refers to it when it goes.
        for entry in manifest.visible:
            by_kind.setdefault(entry.kind, []).append(entry)
        load = partial(_load, layout)
        tracks = self._tracks.of(by_kind.pop(TRACKS), load)
        families = {
            kind: self._families.get(kind, _Sorted.empty(_CONTENT)).of(parts, load) for kind, parts in by_kind.items()
        }
        return PartsIndex(generation, manifest, tracks, families)

    def _rank(self, at: int) -> Rank:
        row = self._tracks.entries[at]
        known = unpack(row["content_hash"]) if row["has_content"] else ""
        return Rank(int(row["sequence"]), State(row["state"]), known)


NOTHING = PartsIndex(0, Manifest(), _Sorted.empty(_RANK), {})
"""The index of a store without a part."""


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
        number = generations[-1]
        self._newest = newest = (held or NOTHING).moved_on(self._layout, number, self._layout.manifest(number))
        return newest

    def after(self, generation: int) -> Iterator[PartsIndex]:
        """Yield the indexes of the manifests that came after one, in order."""
        newest = self.newest()
        for number in self._layout.generations():
            manifest = self._layout.find_manifest(number) if generation < number < newest.generation else None
            if manifest is not None:
                yield newest.moved_on(self._layout, number, manifest)
        if newest.generation > generation:
            yield newest


def _load(layout: Layout, part: PartEntry) -> np.ndarray:
    """Return what a part holds, dtype `_RANK` or `_CONTENT`. Raises `StoreError` naming the file."""
    with reading(layout.parts / part.name) as file:
        found = read_rows(file) if part.kind == TRACKS else read_contents(file, part.kind)
        if len(found) != part.entries:
            raise DamagedError(f"it holds {len(found)} entries, the manifest says {part.entries}")
    entries = np.empty(len(found), _RANK if part.kind == TRACKS else _CONTENT)
    for name in entries.dtype.names or ():
        entries[name] = found[name]
    return entries
