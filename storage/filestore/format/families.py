"""The rows of families in a file: those of all contents end to end, and whose they are."""

import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import h5py
import msgspec
import numpy as np

from pipeline.arrays import Int64
from pipeline.features.spec import FeatureRows, FeatureSpec
from storage.filestore.format.codec import crc, hex_ids, ids, index, pack
from storage.filestore.format.hdf5 import DamagedError, Stored, group, make_group, number, put, read, write

CONTENT = np.dtype([("content_hash", "S16"), ("crc32", "<u4")])
"""Whose the rows of a family are, and their CRC-32."""

ARRAYS: Mapping[str, np.dtype[Any]] = {
    "values": np.dtype("<f4"),
    "start_s": np.dtype("<f4"),
    "channel": np.dtype("i1"),
}
"""What a family has per row."""

_RUN_BYTES = 8 << 20
"""The largest read; rows near each other in a part are read together up to this."""

_GAP_BYTES = 64 << 10
"""What is read along between two of them: less than asking HDF5 once more costs."""

INDPTR = np.dtype("<i8")


class FamilyTable:
    """The rows of one family in an open file: which contents it has, and their rows on demand."""

    def __init__(self, file: h5py.File, key: str) -> None:
        self.key = key
        family = group(file, "features", key)
        index, self._indptr = _read_index(family, key)
        self._hashes, self._crc32 = index["content_hash"], index["crc32"]
        self._arrays = {name: Stored(family, name, dtype) for name, dtype in ARRAYS.items()}
        self._row_bytes = ARRAYS["values"].itemsize * math.prod(self._arrays["values"].shape[1:])

    def __len__(self) -> int:
        return len(self._hashes)

    @cached_property
    def contents(self) -> list[str]:
        """Whose the rows are, content by content."""
        return hex_ids(self._hashes)

    def rows_of(self, contents: Sequence[str], *, first: int = 0) -> list[FeatureRows]:
        """Return the rows of contents that follow each other from position `first`; raises like `rows_at`."""
        return self.rows_at(range(first, first + len(contents)), contents)

    def rows_at(self, positions: Sequence[int], contents: Sequence[str]) -> list[FeatureRows]:
        """Return the rows of contents at ascending positions, read in one go from the first to the last, and checked.

        Raises `DamagedError` naming content and family when they are not what was written.
        """
        first, last = positions[0], positions[-1]
        apart = last - first >= len(positions)
        begin, end = int(self._indptr[first]), int(self._indptr[last + 1])
        read_rows = [stored.read(begin, end) for stored in self._arrays.values()]
        found = []
        for at, content_hash in zip(positions, contents, strict=True):
            if pack(content_hash) != bytes(self._hashes[at]).ljust(16, b"\0"):
                raise DamagedError(f"family {self.key} of content {content_hash} is not where it should be")
            own = slice(int(self._indptr[at]) - begin, int(self._indptr[at + 1]) - begin)
            # What lies in between is not held in memory by those who asked for the rest.
            values, start_s, channel = (array[own].copy() if apart else array[own] for array in read_rows)
            rows = FeatureRows(values=values, start_s=start_s, channel=channel)
            if rows_crc(content_hash, rows) != self._crc32[at]:
                raise DamagedError(f"family {self.key} of content {content_hash} fails its CRC-32")
            found.append(rows)
        return found

    def each(self, positions: Iterable[int]) -> Iterator[tuple[str, FeatureRows]]:
        """Yield contents at ascending positions and their rows, read by the megabyte; raises like `rows_at`."""
        for run in self.runs(positions):
            contents = [self.contents[at] for at in run]
            yield from zip(contents, self.rows_at(run, contents), strict=True)

    def runs(self, positions: Iterable[int]) -> Iterator[list[int]]:
        """Part ascending positions into runs that fit in one read, together with what lies between them."""
        run: list[int] = []
        begin = end = 0
        for at in positions:
            first, past = int(self._indptr[at]) * self._row_bytes, int(self._indptr[at + 1]) * self._row_bytes
            if run and (first - end > _GAP_BYTES or past - begin > _RUN_BYTES):
                yield run
                run = []
            begin = begin if run else first
            run.append(at)
            end = past
        if run:
            yield run


def read_contents(file: h5py.File, key: str) -> np.ndarray:
    """Return whose rows of a family a file holds, dtype `CONTENT`. Raises `DamagedError`."""
    return _read_index(group(file, "features", key), key)[0]


def family_group(file: h5py.File, spec: FeatureSpec) -> h5py.Group:
    """Create the group of a family."""
    family = make_group(file, "features", spec.key)
    put(family, "spec", msgspec.json.encode(spec, order="deterministic").decode())
    return family


def describe(family: h5py.Group, spec: FeatureSpec) -> None:
    """Spell a family's spec out, for people who open a part with other tools."""
    put(family, "name", spec.name)
    put(family, "title", spec.title)
    put(family, "version", spec.version)
    put(family, "fingerprint", spec.fingerprint)
    put(family, "columns", spec.columns)
    put(family, "units", spec.units)
    put(family, "row_shape", spec.row_shape)
    put(family, "parameters", json.dumps(spec.parameters, sort_keys=True))


def write_index(family: h5py.Group, contents: Sequence[str], lengths: Sequence[int], crcs: Sequence[int]) -> None:
    """Write which contents a family's rows belong to."""
    indptr = index(lengths)
    whose = np.zeros(len(contents), CONTENT)
    whose["content_hash"], whose["crc32"] = ids(contents), crcs
    write(family, "indptr", indptr, apart=len(contents) > 1)
    write(family, "contents", whose, apart=len(contents) > 1)
    put(family, "index_crc32", np.uint32(crc(whose, indptr)))


def rows_crc(content_hash: str, rows: FeatureRows) -> int:
    """Return the CRC-32 that binds the rows of a family to their content."""
    return crc(rows.values, rows.start_s, rows.channel, begin=zlib.crc32(pack(content_hash)))


def _read_index(family: h5py.Group, key: str) -> tuple[np.ndarray, Int64]:
    """Return a family's `contents` and `indptr`. Raises `DamagedError`."""
    contents, indptr = read(family, "contents", CONTENT), read(family, "indptr", INDPTR)
    if crc(contents, indptr) != number(family, "index_crc32"):
        raise DamagedError(f"the index of family {key} fails its CRC-32")
    return contents, indptr
