"""Where the rows of one family are stored, as columns over any number of contents, and reading any of these rows.

A snapshot's `rows` reads whole contents; this reads any part of them, to stream what is larger than the memory.
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
from storage.filestore.format.codec import crc
from storage.filestore.format.families import read_contents
from storage.filestore.format.hdf5 import DamagedError, VanishedError, open_file
from storage.filestore.layout import Layout
from storage.ids import Ids, positions, unpack
from storage.rules import missing_rows_error

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Extents:
    """Where the rows of n contents of one family are.

    `contents` (n,) are the hashes; `file` (n,) is a position in `files`; the content has `rows` (n,) rows, those of the
    file from row `begin` (n,) on; `crc32` (n,) is their `rows_crc`.
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

    def select(self, positions: Int64) -> "Extents":
        """Return the extents at some positions (m,), which may repeat."""
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
        return positions(self.contents, contents)


def locate(layout: Layout, key: str, contents: Ids | None = None) -> Extents:
    """Return where the rows of contents of a family are now, in the order of `contents`; by default of all, sorted.

    Raises `StoreError` naming a content that has no rows, or a file that cannot be read or is damaged.
    """
    for _ in range(_ATTEMPTS):
        # First the inbox, then the manifest, so that a segment that is merged in between is in both, not in neither.
        segments = [layout.inbox / name.path for name in layout.segments() if key in layout.families_in(name)]
        manifest = layout.manifest(layout.generations()[-1])
        parts = [layout.parts / entry.name for entry in manifest.parts if entry.kind == key]
        try:
            extents = _read(key, (*parts, *segments))
        except VanishedError:
            continue  # merged meanwhile; it is in a later manifest
        if contents is None:
            return extents
        at = extents.find(contents)
        if missing := [unpack(packed) for packed in contents[at < 0]]:
            raise missing_rows_error(key, missing)
        return extents.select(at)
    raise StoreError(f"{printable(str(layout.root))}: files go away faster than they can be looked at; try again")


def _read(key: str, files: tuple[Path, ...]) -> Extents:
    contents, rows, begin, crc32 = [np.zeros(0, "S16")], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], []
    for path in files:
        with open_file(path) as file:
            index = read_contents(file, key)
            indptr = file["features"][key]["indptr"][:]
        contents.append(index["content_hash"])
        crc32.append(index["crc32"])
        begin.append(indptr[:-1])
        rows.append(np.diff(indptr))
    counts = [len(column) for column in contents[1:]]
    # A content that two files have is the same in both; the first one is used.
    unique, first = np.unique(np.concatenate(contents), return_index=True)
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
        self._datasets = [group[name].id for name in ("values", "start_s", "channel")]

    def read(self, begin: int, values: Float32, start_s: Float32, channel: np.ndarray) -> None:
        """Fill three arrays, (rows, *row_shape), (rows,) and (rows,), with the rows from `begin` on."""
        for dataset, into in zip(self._datasets, (values, start_s, channel), strict=True):
            # Not `read_direct`, whose own cost is that of the reading.
            space = dataset.get_space()
            if space.shape[1:] != into.shape[1:] or begin + len(into) > space.shape[0]:
                raise DamagedError(f"it has no rows {begin} to {begin + len(into)} of shape {into.shape[1:]}")
            space.select_hyperslab((begin, *(0 for _ in into.shape[1:])), into.shape)
            dataset.read(h5s.create_simple(into.shape), space, into)


@contextmanager
def open_rows(extents: Extents, file: int) -> Iterator[OpenRows]:
    """Open a file of the extents by its position. Raises `VanishedError` when it was merged or collected since."""
    with open_file(extents.files[file]) as opened:
        yield OpenRows(opened, extents.key)


class ArrayCrcs(NamedTuple):
    """The CRC-32 of the values, of the starts and of the channels of some rows."""

    values: int
    start_s: int
    channel: int

    @classmethod
    def of(cls, rows: FeatureRows) -> "ArrayCrcs":
        """Return the CRC-32 of each array of some rows."""
        return cls(crc(rows.values), crc(rows.start_s), crc(rows.channel))


def content_crc(packed: bytes, parts: Sequence[ArrayCrcs], lengths: Sequence[int], row_bytes: int) -> int:
    """Return the `rows_crc` of a content from those of its consecutive parts, of `lengths` rows each."""
    combined = zlib.crc32(bytes(packed).ljust(16, b"\0"))
    for array, width in enumerate((row_bytes, 4, 1)):
        for part, length in zip(parts, lengths, strict=True):
            combined = _combined(combined, part[array], length * width)
    return combined


def damage_error(extents: Extents, at: int) -> DamagedError:
    """Return the error for the content at a position, whose rows fail their CRC-32."""
    path = printable(str(extents.files[extents.file[at]]))
    return DamagedError(
        f"{path}: is damaged (family {extents.key} of content {unpack(extents.contents[at])} fails its CRC-32)"
    )


def _combined(first: int, second: int, second_bytes: int) -> int:
    """Return the CRC-32 of two byte strings end to end from that of each and the length of the second."""
    combined = second
    for bit, shifted in enumerate(_shifts(second_bytes)):
        if first >> bit & 1:
            combined ^= shifted
    return combined


@lru_cache(4096)
def _shifts(length: int) -> tuple[int, ...]:
    """Return what each bit of a CRC-32 becomes when `length` bytes follow; a CRC is linear in its bits."""
    zeros = bytes(length)
    of_zeros = zlib.crc32(zeros)
    return tuple(zlib.crc32(zeros, 1 << bit) ^ of_zeros for bit in range(32))
