"""Where the rows of one family lie: columns for any number of contents, and reading row by row what they point at.

A snapshot's `rows` reads whole contents; this reads any part of them, for streaming what is larger than the memory.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from h5py import h5s

from pipeline.arrays import Float32, Int32, Int64
from pipeline.errors import StoreError
from pipeline.features.spec import FeatureRows
from pipeline.text import printable
from storage.filestore.format.codec import Ids, unpack
from storage.filestore.format.families import read_contents
from storage.filestore.format.hdf5 import DamagedError, VanishedError, reading
from storage.filestore.layout import Layout
from storage.rules import missing_rows

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Extents:
    """Where the rows of contents of one family are, position by position.

    `contents` (n,) are the hashes; `file` (n,) is a position in `files`, where the content's rows are those from
    `begin` (n,) on, `rows` (n,) of them; `crc32` (n,) is what `rows_crc` told of them.
    """

    key: str
    files: tuple[Path, ...]
    contents: Ids
    file: Int32
    begin: Int64
    rows: Int64
    crc32: np.ndarray[tuple[int], np.dtype[np.uint32]]

    def __len__(self) -> int:
        return len(self.contents)

    def at(self, positions: Int64) -> "Extents":
        """Return the extents at some positions."""
        return Extents(
            key=self.key,
            files=self.files,
            contents=self.contents[positions],
            file=self.file[positions],
            begin=self.begin[positions],
            rows=self.rows[positions],
            crc32=self.crc32[positions],
        )

    def find(self, contents: Ids) -> Int64:
        """Return the position of each content, -1 where there is none; the extents must be sorted by content."""
        if not len(self):
            return np.full(len(contents), -1, np.int64)
        at = np.minimum(np.searchsorted(self.contents, contents), len(self) - 1)
        return np.where(self.contents[at] == contents, at, -1).astype(np.int64)


def locate(layout: Layout, key: str, contents: Ids | None = None) -> Extents:
    """Return where the rows of contents of a family are now, in the order asked; by default of all, sorted.

    Raises `StoreError` naming a content that has no rows, or a file that cannot be read or is damaged.
    """
    for _ in range(_ATTEMPTS):
        # As a reader does: first the inbox, then the manifest, so that nothing merged in between is missed.
        segments = [layout.inbox / name.path for name in layout.segments() if key in layout.families_in(name)]
        manifest = layout.manifest(layout.generations()[-1])
        parts = [layout.parts / entry.name for entry in manifest.parts if entry.kind == key]
        try:
            found = _read(key, (*parts, *segments))
        except VanishedError:
            continue  # merged meanwhile; it is in a later manifest
        if contents is None:
            return found
        at = found.find(contents)
        if missing := [unpack(packed) for packed in contents[at < 0]]:
            raise missing_rows(key, missing)
        return found.at(at)
    raise StoreError(f"{printable(str(layout.root))}: files go away faster than they can be looked at; try again")


def _read(key: str, files: tuple[Path, ...]) -> Extents:
    contents, rows, begin, crc32 = [np.zeros(0, "S16")], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], []
    for path in files:
        with reading(path) as file:
            told = read_contents(file, key)
            indptr = file["features"][key]["indptr"][:]
        contents.append(told["content_hash"])
        crc32.append(told["crc32"])
        begin.append(indptr[:-1])
        rows.append(np.diff(indptr))
    counts = [len(held) for held in contents[1:]]
    joined = np.concatenate(contents)
    # A content that two files hold is the same in both; the first one serves.
    unique, first = np.unique(joined, return_index=True)
    return Extents(
        key=key,
        files=files,
        contents=unique,
        file=np.repeat(np.arange(len(files), dtype=np.int32), counts)[first],
        begin=np.concatenate(begin)[first],
        rows=np.concatenate(rows)[first],
        crc32=np.concatenate([np.zeros(0, np.uint32), *crc32])[first],
    )


class OpenRows:
    """The rows of one family in an open file."""

    def __init__(self, file: h5py.File, key: str) -> None:
        group = file["features"][key]
        self._stored = [group[name].id for name in ("values", "start_s", "channel")]

    def read(self, begin: int, values: Float32, start_s: Float32, channel: np.ndarray) -> None:
        """Fill three arrays, (rows, *row_shape), (rows,) and (rows,), with the rows from `begin` on."""
        for stored, into in zip(self._stored, (values, start_s, channel), strict=True):
            # Not `read_direct`, which costs as much again as reading.
            space = stored.get_space()
            if space.shape[1:] != into.shape[1:] or begin + len(into) > space.shape[0]:
                raise DamagedError(f"it has no rows {begin} to {begin + len(into)} of shape {into.shape[1:]}")
            space.select_hyperslab((begin, *(0 for _ in into.shape[1:])), into.shape)
            stored.read(h5s.create_simple(into.shape), space, into)


@contextmanager
def open_rows(extents: Extents, file: int) -> Iterator[OpenRows]:
    """Open a file of the extents. Raises `VanishedError` when it was merged or collected since."""
    with reading(extents.files[file]) as opened:
        yield OpenRows(opened, extents.key)


class Sums(NamedTuple):
    """The CRC-32 of the values, of the starts and of the channels of some rows."""

    values: int
    start_s: int
    channel: int

    @classmethod
    def of(cls, rows: FeatureRows) -> "Sums":
        """Return the sums of rows."""
        return cls(_crc(rows.values), _crc(rows.start_s), _crc(rows.channel))


def whole_crc(packed: bytes, parts: Sequence[Sums], lengths: Sequence[int], row_bytes: int) -> int:
    """Return what `rows_crc` tells of a content from the sums of its parts, of `lengths` rows each."""
    crc = zlib.crc32(bytes(packed).ljust(16, b"\0"))
    for kind, width in enumerate((row_bytes, 4, 1)):
        for sums, length in zip(parts, lengths, strict=True):
            crc = _joined(crc, sums[kind], length * width)
    return crc


def damaged(extents: Extents, at: int) -> DamagedError:
    """Return the error for a content whose rows are not what was written."""
    path = printable(str(extents.files[extents.file[at]]))
    return DamagedError(
        f"{path}: is damaged (family {extents.key} of content {unpack(extents.contents[at])} fails its CRC-32)"
    )


def _crc(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view("u1").data) if array.size else 0


def _joined(first: int, second: int, second_bytes: int) -> int:
    """Return the CRC-32 of two runs of bytes end to end from those of each and the length of the second."""
    joined = second
    for bit, image in enumerate(_shifts(second_bytes)):
        if first >> bit & 1:
            joined ^= image
    return joined


@lru_cache(4096)
def _shifts(length: int) -> tuple[int, ...]:
    """Return what becomes of each bit of a CRC-32 when `length` bytes follow; it is linear in the bits."""
    zeros = bytes(length)
    nothing = zlib.crc32(zeros)
    return tuple(zlib.crc32(zeros, 1 << bit) ^ nothing for bit in range(32))
