"""Having the system fetch rows that will be read soon, so that the disk is busy while something else is computed."""

import os
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from h5py import h5d

from pipeline.arrays import Int64
from pipeline.errors import StoreError
from storage.filestore.format.hdf5 import open_file
from storage.filestore.rows.extents import Extents


class ReadAhead:
    """Where the values of extents are in the bytes of their files, looked up once per file.

    Best effort: it does nothing where there is no `posix_fadvise` (macOS), and ignores errors, which the reader of the
    file raises.
    """

    def __init__(self, extents: Extents) -> None:
        self._extents = extents
        self._chunks: dict[int, _Chunks] = {}

    def prefetch(self, file: int, begin: Int64, end: Int64) -> None:
        """Have the system fetch n runs of rows of a file, from `begin` (n,) to before `end` (n,); returns at once."""
        if not hasattr(os, "posix_fadvise"):
            return
        with suppress(StoreError, OSError):
            chunks = self._chunks.get(file)
            if chunks is None:
                chunks = self._chunks[file] = self._read_chunks(file)
            descriptor = os.open(self._extents.files[file], os.O_RDONLY | os.O_CLOEXEC)
            try:
                for offset, size in chunks.bytes_of(begin, end):
                    os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(descriptor)

    def _read_chunks(self, file: int) -> "_Chunks":
        with open_file(self._extents.files[file]) as opened:
            values = opened["features"][self._extents.key]["values"].id
            properties = values.get_create_plist()
            if properties.get_layout() != h5d.CHUNKED:
                return _Chunks(0, 0, np.zeros(0, np.int64))
            rows = properties.get_chunk()[0]
            offsets = np.zeros(-(-values.shape[0] // rows), np.int64)
            size = 0

            def add(chunk: h5d.StoreInfo) -> None:
                nonlocal size
                offsets[chunk.chunk_offset[0] // rows] = chunk.byte_offset
                size = chunk.size

            values.chunk_iter(add)
            return _Chunks(rows, size, offsets)


class _Chunks(NamedTuple):
    """The chunks of a file's values: `rows` and `size` (bytes) of each, and their `offsets` (chunks,) in the file.

    0 `rows`: the file is small and has no chunks; all of it is fetched.
    """

    rows: int
    size: int
    offsets: Int64

    def bytes_of(self, begin: Int64, end: Int64) -> list[tuple[int, int]]:
        """Return offset and size of the bytes with some runs of rows, adjacent ones merged; size 0: to the end."""
        if not self.rows:
            return [(0, 0)]
        chosen = np.zeros(len(self.offsets) + 1, np.int64)
        np.add.at(chosen, begin // self.rows, 1)
        np.add.at(chosen, -(-end // self.rows), -1)
        offsets = np.sort(self.offsets[np.cumsum(chosen[:-1]) > 0])
        first = np.flatnonzero(np.diff(offsets, prepend=-1 - self.size) != self.size)
        counts = np.diff(np.append(first, len(offsets)))
        return list(zip(offsets[first].tolist(), (counts * self.size).tolist(), strict=True))
