"""The entries of several parts sorted by id, with look-up by binary search.

Ids are hashes: their first eight bytes, as a number, sort and find them as well as all sixteen, and ten times faster.
The few entries whose ids share a prefix are adjacent; the rest of the id distinguishes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any, Self

import numpy as np

from pipeline.arrays import Bool, Int32, Int64
from storage.filestore.layout import PartEntry
from storage.ids import Ids

_HALVES = np.dtype([("first", ">u8"), ("rest", ">u8")])
"""An id as two numbers."""

Prefixes = np.ndarray[tuple[int], np.dtype[np.uint64]]
"""The first eight bytes of ids, as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record, or the rows of a content, are: a part and a row of its index."""

    part: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedEntries:
    """The n entries of the parts of one kind, sorted by id, then by their other fields, then by their place.

    `prefix` (n,) ascends; `entries` (n,) are structures whose first field is the id; `at` (n,) is the position of each
    in the parts laid end to end, of which part `names[p]` begins at `begins[p]`.
    """

    names: tuple[str, ...]
    begins: Int64
    prefix: Prefixes
    entries: np.ndarray
    at: Int32

    @classmethod
    def empty(cls, dtype: np.dtype[np.void]) -> Self:
        """Return the entries of no part."""
        entries = np.zeros(0, dtype)
        return cls(
            names=(),
            begins=np.zeros(1, np.int64),
            prefix=prefixes(entries[_id_field(entries)]),
            entries=entries,
            at=np.zeros(0, np.int32),
        )

    def for_parts(self, parts: Sequence[PartEntry], load: Callable[[PartEntry], np.ndarray]) -> Self:
        """Return the entries of other parts; those of parts that both have keep their order and are not loaded again.

        A manifest adds little to the one before, so only what is new is sorted, and merged into the rest.
        """
        begins = np.cumsum([0, *(part.entries for part in parts)])
        old_begins = dict(zip(self.names, self.begins.tolist(), strict=False))
        moved = np.full(len(self.at), -1, np.int32)
        new = [(np.zeros(0, self.entries.dtype), np.zeros(0, np.int32))]
        for part, begin in zip(parts, begins.tolist(), strict=False):
            at = np.arange(begin, begin + part.entries, dtype=np.int32)
            if part.name in old_begins:
                old_begin = old_begins[part.name]
                moved[old_begin : old_begin + part.entries] = at
            else:
                new.append((load(part), at))
        at = moved[self.at]
        kept = np.flatnonzero(at >= 0)
        new_entries, new_at = (np.concatenate(column) for column in zip(*new, strict=True))
        prefix = prefixes(new_entries[_id_field(new_entries)])
        order = np.argsort(prefix, kind="stable")
        prefix = prefix[order]
        kept_prefix = select(self.prefix, kept)
        is_kept = np.ones(begins[-1], bool)
        is_kept[kept_prefix.searchsorted(prefix, "right") + np.arange(len(prefix))] = False
        merged = type(self)(
            names=tuple(part.name for part in parts),
            begins=begins,
            prefix=_merge(is_kept, kept_prefix, prefix),
            entries=_merge(is_kept, select(self.entries, kept), new_entries[order]),
            at=_merge(is_kept, select(at, kept), new_at[order]),
        )
        merged._sort_ties()
        return merged

    def _sort_ties(self) -> None:
        """Sort the entries that share a prefix."""
        tied = np.zeros(len(self.at), bool)
        tied[1:] = self.prefix[1:] == self.prefix[:-1]
        tied[:-1] |= tied[1:]
        ties = np.flatnonzero(tied)
        entries = self.entries[ties]
        columns = [entries[name] for name in reversed(entries.dtype.names or ())]
        order = ties[np.lexsort((self.at[ties], *columns, self.prefix[ties]))]
        self.entries[ties], self.at[ties] = self.entries[order], self.at[order]

    def find(self, packed: bytes) -> list[int]:
        """Return the positions of the entries of an id of 16 bytes, ascending."""
        first, past = prefix_range(self.prefix, packed)
        # NumPy drops the trailing zero bytes of fixed-length bytes.
        stripped = packed.rstrip(b"\0")
        return [at for at in range(first, past) if self.entries[at][0] == stripped]

    def place(self, position: int) -> Place:
        """Return where the entry at a position is."""
        at = int(self.at[position])
        part = int(self.begins.searchsorted(at, "right")) - 1
        return Place(part=self.names[part], row=at - int(self.begins[part]))


def prefixes(packed: Ids) -> Prefixes:
    """Return the first eight bytes of ids as numbers that sort like the ids, dtype uint64."""
    return packed.view(_HALVES)["first"].astype(np.uint64)


def prefix_range(ascending: Prefixes, packed: bytes) -> tuple[int, int]:
    """Return the first position of an id's prefix among ascending ones, and the one after its last."""
    prefix = np.uint64(int.from_bytes(packed[:8], "big"))
    return int(ascending.searchsorted(prefix, "left")), int(ascending.searchsorted(prefix, "right"))


def select(array: np.ndarray, at: Int64) -> np.ndarray:
    """Return the elements at some positions, in memory from `allocate`."""
    elements = allocate(len(at), array.dtype)
    # In the default mode NumPy writes to a buffer first.
    np.take(array, at, out=elements, mode="clip")
    return elements


def allocate(length: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an uninitialised array (length,) in a mapping of its own, unmapped as soon as the array is released.

    An index lives as long as a manifest. The C library keeps blocks of some megabytes that are allocated and freed
    again and again: a worker's memory would grow by three times the size of its index.
    """
    if not length:
        return np.empty(0, dtype)
    return np.frombuffer(mmap(-1, length * dtype.itemsize, flags=MAP_PRIVATE | MAP_ANONYMOUS), dtype)


def _merge(is_kept: Bool, kept: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return `kept` at the positions where `is_kept`, and `new` at the others."""
    merged = allocate(len(is_kept), kept.dtype)
    merged[is_kept], merged[~is_kept] = kept, new
    return merged


def _id_field(entries: np.ndarray) -> str:
    """Return the name of the field that holds the ids."""
    return (entries.dtype.names or ("",))[0]
