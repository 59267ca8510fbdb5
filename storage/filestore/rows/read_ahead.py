"""Asking the system to fetch rows that are read soon, so that the disk works while something else is done."""

import os
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from h5py import h5d

from pipeline.arrays import Int64
from pipeline.errors import StoreError
from storage.filestore.format.hdf5 import reading
from storage.filestore.rows.extents import Extents


class ReadAhead:
    """Where the values of extents lie in the bytes of their files, found out once per file.

    Best effort, and nothing at all where the system cannot be asked (macOS): what is wrong with a file is told by
    whoever reads it.
    """

    def __init__(self, extents: Extents) -> None:
        self._extents = extents
        self._chunks: dict[int, _Chunks] = {}

    def expect(self, file: int, begin: Int64, end: Int64) -> None:
        """Let the system begin to fetch some runs of rows of a file, from `begin` (n,) to `end` (n,); returns soon."""
        if not hasattr(os, "posix_fadvise"):
            return
        with suppress(StoreError, OSError):
            chunks = self._chunks.get(file)
            if chunks is None:
                chunks = self._chunks[file] = self._find(file)
            descriptor = os.open(self._extents.files[file], os.O_RDONLY | os.O_CLOEXEC)
            try:
                for offset, size in chunks.bytes_of(begin, end):
                    os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(descriptor)

    def _find(self, file: int) -> "_Chunks":
        with reading(self._extents.files[file]) as opened:
            values = opened["features"][self._extents.key]["values"].id
            plan = values.get_create_plist()
            if plan.get_layout() != h5d.CHUNKED:
                return _Chunks(0, 0, np.zeros(0, np.int64))
            height = plan.get_chunk()[0]
            offsets = np.zeros(-(-values.shape[0] // height), np.int64)
            size = 0

            def note(chunk: h5d.StoreInfo) -> None:
                nonlocal size
                offsets[chunk.chunk_offset[0] // height] = chunk.byte_offset
                size = chunk.size

            values.chunk_iter(note)
            return _Chunks(height, size, offsets)


class _Chunks(NamedTuple):
    """The chunks of a file's values: rows in each, bytes of each, and `offsets` (chunks,) in the file.

    No rows in each: the file is small, and all of it is meant.
    """

    height: int
    size: int
    offsets: Int64

    def bytes_of(self, begin: Int64, end: Int64) -> list[tuple[int, int]]:
        """Return offset and size of what holds some runs of rows, neighbours joined; size 0 is all that follows."""
        if not self.height:
            return [(0, 0)]
        chosen = np.zeros(len(self.offsets) + 1, np.int64)
        np.add.at(chosen, begin // self.height, 1)
        np.add.at(chosen, -(-end // self.height), -1)
        offsets = np.sort(self.offsets[np.cumsum(chosen[:-1]) > 0])
        first = np.flatnonzero(np.diff(offsets, prepend=-1 - self.size) != self.size)
        counts = np.diff(np.append(first, len(offsets)))
        return list(zip(offsets[first].tolist(), (counts * self.size).tolist(), strict=True))
