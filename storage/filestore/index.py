"""Where in the parts everything is: columns in the order of ids, loaded once per part and process.

Ids are hashes: their first eight bytes, as a number, sort and find them as well as all sixteen and ten times faster.
The few that share a prefix lie next to each other and are told apart by the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from pipeline.arrays import Int32, Int64
from pipeline.errors import StoreError
from pipeline.tracks import printable
from storage.filestore.families import read_contents
from storage.filestore.hdf5 import DamagedError, reading
from storage.filestore.layout import Layout, Manifest, PartEntry
from storage.filestore.packing import Ids, pack, unpack
from storage.filestore.records import ROW, read_rows
from storage.rules import Rank, State

TRACKS = "tracks"
"""The kind of the parts that hold records."""

_DESCRIBING = np.array([state in {State.EXTRACTED, State.DELETED} for state in State])
"""By state, whether a record may tell what decoding its content tells."""

_RANK = np.dtype([(name, ROW[name]) for name in ("track_id", "sequence", "state", "content_hash", "has_content")])
"""What decides which record of a track counts."""

_CONTENT = np.dtype([("content_hash", "S16")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A record, or a content's rows, in a part."""

    part: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """The entries of the parts of one kind, by id.

    `prefix` (n,) ascends; `entries` (n,) are structured; `at` (n,) is where each is among all entries of the parts end
    to end, of which those of part `names[p]` begin at `begins[p]`.
    """

    names: tuple[str, ...]
    begins: Int64
    prefix: np.ndarray[tuple[int], np.dtype[np.uint64]]
    entries: np.ndarray
    at: Int32

    @classmethod
    def tracks(cls, held: "_Held") -> Self:
        """Return the records of parts; those of one track ascend by rank."""
        prefix = _prefixes(held.entries["track_id"])
        at = np.argsort(prefix, kind="stable")
        # Only the records that share a prefix need to be looked at more closely.
        ordered = prefix[at]
        alike = np.zeros(len(at), bool)
        alike[1:] = ordered[1:] == ordered[:-1]
        alike[:-1] |= alike[1:]
        among = at[alike]
        near = held.entries[among]
        keys = (near["content_hash"], near["state"], near["sequence"], near["track_id"], prefix[among])
        at[alike] = among[np.lexsort(keys)]
        return cls._of(held, prefix, at)

    @classmethod
    def contents(cls, held: "_Held") -> Self:
        """Return the contents of the parts of a family; one that two parts hold is first in that named first."""
        prefix = _prefixes(held.entries["content_hash"])
        return cls._of(held, prefix, np.argsort(prefix, kind="stable"))

    @classmethod
    def _of(cls, held: "_Held", prefix: np.ndarray, at: Int64) -> Self:
        return cls(
            names=held.names, begins=held.begins, prefix=prefix[at], entries=held.entries[at], at=at.astype(np.int32)
        )

    def find(self, packed: bytes, name: str) -> list[int]:
        """Return the positions of an id, ascending."""
        first, last = _between(self.prefix, packed)
        # NumPy drops the trailing zero bytes of fixed-length bytes.
        told = packed.rstrip(b"\0")
        return [at for at in range(first, last) if self.entries[at][name] == told]

    def place(self, position: int) -> Place:
        """Return where an entry is."""
        at = int(self.at[position])
        part = int(self.begins.searchsorted(at, "right")) - 1
        return Place(part=self.names[part], row=at - int(self.begins[part]))

    def held(self) -> "_Held":
        """Return the entries as they lie in the parts."""
        entries = np.empty_like(self.entries)
        entries[self.at] = self.entries
        return _Held(names=self.names, begins=self.begins, entries=entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """The entries of the parts of one kind end to end: those of part `names[p]` begin at `begins[p]`."""

    names: tuple[str, ...]
    begins: Int64
    entries: np.ndarray

    def parts(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the entries of each part."""
        yield from zip(self.names, np.split(self.entries, self.begins[1:-1]), strict=True)


def _prefixes(packed: Ids) -> np.ndarray:
    """Return the first eight bytes of ids as numbers that sort like the ids, dtype uint64."""
    raw = np.ascontiguousarray(packed).view("u1").reshape(-1, 16)
    return np.ascontiguousarray(raw[:, :8]).view(">u8").reshape(-1).astype(np.uint64)


def _between(ascending: np.ndarray, packed: bytes) -> tuple[int, int]:
    """Return where the first eight bytes of an id are among ascending ones: the first position, and the one after."""
    wanted = np.uint64(int.from_bytes(packed[:8], "big"))
    return int(ascending.searchsorted(wanted, "left")), int(ascending.searchsorted(wanted, "right"))


class PartsIndex:
    """What the parts of one manifest hold; never changes."""

    def __init__(self, generation: int, manifest: Manifest, tracks: _Held, families: Mapping[str, _Held]) -> None:
        self.generation = generation
        self.manifest = manifest
        self._tracks = _Sorted.tracks(tracks)
        self._families = {key: _Sorted.contents(held) for key, held in families.items()}
        same = self._tracks.entries["track_id"]
        # The last of several records of a track counts.
        self._counts = np.ones(len(same), bool)
        self._counts[:-1] = (self._tracks.prefix[1:] != self._tracks.prefix[:-1]) | (same[1:] != same[:-1])

    def rank(self, track_id: str) -> Rank | None:
        """Return the rank of the record that counts for a track, or None when there is none."""
        found = self._tracks.find(pack(track_id), "track_id")
        return self._rank(found[-1]) if found else None

    def record(self, track_id: str, wanted: Rank | None = None) -> Place | None:
        """Return where the record of a track is: the one that counts, or the one of a rank, superseded or not."""
        for at in reversed(self._tracks.find(pack(track_id), "track_id")):
            if wanted is None or self._rank(at) == wanted:
                return self._tracks.place(at)
        return None

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content."""
        packed = pack(content_hash)
        return frozenset(key for key, held in self._families.items() if held.find(packed, "content_hash"))

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
        return prefix[order], order.astype(np.int32)

    def rows(self, family_key: str, content_hash: str) -> Place | None:
        """Return where the rows of a content are."""
        held = self._families.get(family_key)
        found = held.find(pack(content_hash), "content_hash") if held is not None else None
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

    def held(self) -> dict[str, np.ndarray]:
        """Return what was loaded for each part, so that the next index need not load it again."""
        return {
            name: entries
            for kind in (self._tracks, *self._families.values())
            if kind.names
            for name, entries in kind.held().parts()
        }

    def _rank(self, at: int) -> Rank:
        row = self._tracks.entries[at]
        known = unpack(row["content_hash"]) if row["has_content"] else ""
        return Rank(int(row["sequence"]), State(row["state"]), known)


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
    held = known.held() if known is not None else {}
    by_kind: dict[str, list[PartEntry]] = {TRACKS: []}
    # Nobody is told of what is condemned (see `retiring`), so that nobody refers to it when it goes.
    for entry in manifest.visible:
        by_kind.setdefault(entry.kind, []).append(entry)
    loaded = {kind: _load(layout, entries, held) for kind, entries in by_kind.items()}
    return PartsIndex(generation, manifest, loaded.pop(TRACKS), loaded)


def _load(layout: Layout, entries: Sequence[PartEntry], known: Mapping[str, np.ndarray]) -> _Held:
    """Return what the parts of one kind hold."""
    dtype = _CONTENT if entries and entries[0].kind != TRACKS else _RANK
    begins = np.cumsum([0, *(entry.entries for entry in entries)])
    joined = np.empty(begins[-1], dtype)
    for entry, begin in zip(entries, begins.tolist(), strict=False):
        if entry.name in known:
            joined[begin : begin + entry.entries] = known[entry.name]
            continue
        with reading(layout.parts / entry.name) as file:
            found = read_rows(file) if entry.kind == TRACKS else read_contents(file, entry.kind)
            if len(found) != entry.entries:
                raise DamagedError(f"it holds {len(found)} entries, the manifest says {entry.entries}")
            for name in dtype.names or ():
                joined[name][begin : begin + entry.entries] = found[name]
    return _Held(names=tuple(entry.name for entry in entries), begins=begins, entries=joined)
