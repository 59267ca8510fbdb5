"""The rows of families in a file: those of all contents end to end, and an index of the contents they belong to."""

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
from storage.filestore.format.codec import crc, offsets
from storage.filestore.format.hdf5 import (
    DamagedError,
    Dataset,
    group,
    int_attribute,
    make_group,
    read,
    write,
    write_attribute,
)
from storage.ids import hex_ids, ids, pack

CONTENT = np.dtype([("content_hash", "S16"), ("crc32", "<u4")])
"""An entry of a family's index: a content, and the CRC-32 of its rows."""

ARRAYS: Mapping[str, np.dtype[Any]] = {
    "values": np.dtype("<f4"),
    "start_s": np.dtype("<f4"),
    "channel": np.dtype("i1"),
}
"""The arrays of a family, each with one entry per row."""

_SPAN_BYTES = 8 << 20
"""The largest read; rows near each other in a part are read together up to this."""

_GAP_BYTES = 64 << 10
"""The largest gap between them that is read and dropped: a second read would cost more."""

INDPTR = np.dtype("<i8")


class FamilyTable:
    """The rows of one family in an open file: its contents, and their rows on demand."""

    def __init__(self, file: h5py.File, key: str) -> None:
        self.key = key
        family = group(file, "features", key)
        index, self._indptr = _read_index(family, key)
        self._hashes, self._crc32 = index["content_hash"], index["crc32"]
        self._arrays = {name: Dataset(family, name, dtype) for name, dtype in ARRAYS.items()}
        self._row_bytes = ARRAYS["values"].itemsize * math.prod(self._arrays["values"].shape[1:])

    def __len__(self) -> int:
        return len(self._hashes)

    @cached_property
    def contents(self) -> list[str]:
        """The contents that the rows belong to, in the order of the rows."""
        return hex_ids(self._hashes)

    def rows_of(self, contents: Sequence[str], *, first: int = 0) -> list[FeatureRows]:
        """Return the rows of consecutive contents from position `first` on; raises like `rows_at`."""
        return self.rows_at(range(first, first + len(contents)), contents)

    def rows_at(self, positions: Sequence[int], contents: Sequence[str]) -> list[FeatureRows]:
        """Return the rows of contents at ascending positions, by one read from the first to the last.

        Raises `DamagedError` naming content and family when a content is elsewhere or its rows fail their CRC-32.
        """
        first, last = positions[0], positions[-1]
        has_gaps = last - first >= len(positions)
        begin, end = int(self._indptr[first]), int(self._indptr[last + 1])
        arrays = [dataset.read(begin, end) for dataset in self._arrays.values()]
        result = []
        for at, content_hash in zip(positions, contents, strict=True):
            if pack(content_hash) != bytes(self._hashes[at]).ljust(16, b"\0"):
                raise DamagedError(f"family {self.key} of content {content_hash} is not where it should be")
            own = slice(int(self._indptr[at]) - begin, int(self._indptr[at + 1]) - begin)
            # Copied, so that the rows that are returned do not keep those in the gaps in memory.
            values, start_s, channel = (array[own].copy() if has_gaps else array[own] for array in arrays)
            rows = FeatureRows(values=values, start_s=start_s, channel=channel)
            if rows_crc(content_hash, rows) != self._crc32[at]:
                raise DamagedError(f"family {self.key} of content {content_hash} fails its CRC-32")
            result.append(rows)
        return result

    def iter_rows(self, positions: Iterable[int]) -> Iterator[tuple[str, FeatureRows]]:
        """Yield the contents at ascending positions and their rows, some megabytes at a time; raises like `rows_at`."""
        for span in self.spans(positions):
            contents = [self.contents[at] for at in span]
            yield from zip(contents, self.rows_at(span, contents), strict=True)

    def spans(self, positions: Iterable[int]) -> Iterator[list[int]]:
        """Cut ascending positions into lists whose rows, with the gaps between them, fit in one read."""
        span: list[int] = []
        begin = end = 0
        for at in positions:
            first, past = int(self._indptr[at]) * self._row_bytes, int(self._indptr[at + 1]) * self._row_bytes
            if span and (first - end > _GAP_BYTES or past - begin > _SPAN_BYTES):
                yield span
                span = []
            begin = begin if span else first
            span.append(at)
            end = past
        if span:
            yield span


def read_contents(file: h5py.File, key: str) -> np.ndarray:
    """Return the index of a family in a file, (contents,), dtype `CONTENT`. Raises `DamagedError`."""
    return _read_index(group(file, "features", key), key)[0]


def family_group(file: h5py.File, spec: FeatureSpec) -> h5py.Group:
    """Create the group of a family, with its spec as JSON."""
    family = make_group(file, "features", spec.key)
    write_attribute(family, "spec", msgspec.json.encode(spec, order="deterministic").decode())
    return family


def write_spec(family: h5py.Group, spec: FeatureSpec) -> None:
    """Write each field of a family's spec as an attribute, for people who open a part with other tools."""
    write_attribute(family, "name", spec.name)
    write_attribute(family, "title", spec.title)
    write_attribute(family, "version", spec.version)
    write_attribute(family, "fingerprint", spec.fingerprint)
    write_attribute(family, "columns", spec.columns)
    write_attribute(family, "units", spec.units)
    write_attribute(family, "row_shape", spec.row_shape)
    write_attribute(family, "parameters", json.dumps(spec.parameters, sort_keys=True))


def write_index(family: h5py.Group, contents: Sequence[str], lengths: Sequence[int], crcs: Sequence[int]) -> None:
    """Write a family's index: of each content how many rows it has, and their CRC-32."""
    indptr = offsets(lengths)
    index = np.zeros(len(contents), CONTENT)
    index["content_hash"], index["crc32"] = ids(contents), crcs
    write(family, "indptr", indptr, apart=len(contents) > 1)
    write(family, "contents", index, apart=len(contents) > 1)
    write_attribute(family, "index_crc32", np.uint32(crc(index, indptr)))


def rows_crc(content_hash: str, rows: FeatureRows) -> int:
    """Return the CRC-32 of a content hash and its rows of a family, so that rows of another content fail it too."""
    return crc(rows.values, rows.start_s, rows.channel, begin=zlib.crc32(pack(content_hash)))


def _read_index(family: h5py.Group, key: str) -> tuple[np.ndarray, Int64]:
    """Return a family's `contents` and `indptr`. Raises `DamagedError`."""
    contents, indptr = read(family, "contents", CONTENT), read(family, "indptr", INDPTR)
    if crc(contents, indptr) != int_attribute(family, "index_crc32"):
        raise DamagedError(f"the index of family {key} fails its CRC-32")
    return contents, indptr
