"""The rows of a track that is being decoded: in memory while they are few, in a temporary file when they are many."""

import tempfile
import weakref
from collections.abc import Iterator
from math import prod
from typing import IO

import numpy as np

from pipeline.arrays import Float32

SPILL_BYTES = 16 * 2**20
"""Rows beyond this, ten minutes of log-mel, lie in a temporary file without a name, mapped into memory."""

_READ_BYTES = 16 * 2**20


class RowBuffer:
    """Rows of one shape, float32, that can be appended to and read."""

    def __init__(self, row_shape: tuple[int, ...], *, spill_bytes: int = SPILL_BYTES) -> None:
        self._shape = row_shape
        self._row_bytes = 4 * prod(row_shape)
        self._spill_bytes = spill_bytes
        self._pieces: list[Float32] = []
        self._memory_bytes = 0
        self._file: IO[bytes] | None = None
        self._mapped: Float32 | None = None
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: Float32) -> None:
        """Add rows (n, *row_shape), which are copied."""
        self._rows += len(rows)
        if self._file is not None:
            self._file.write(np.ascontiguousarray(rows, np.float32).data)
            return
        self._pieces.append(np.array(rows, np.float32, order="C"))
        self._memory_bytes += len(rows) * self._row_bytes
        if self._memory_bytes > self._spill_bytes:
            file: IO[bytes] = tempfile.TemporaryFile(prefix="chordal-rows-")  # noqa: SIM115 -- lives with the rows
            for piece in self._pieces:
                file.write(piece.data)
            self._file = file
            weakref.finalize(self, file.close)
            self._pieces.clear()

    def values(self) -> Float32:
        """Return all rows so far, (rows, *row_shape); nothing is appended after this."""
        shape = (self._rows, *self._shape)
        if self._file is None:
            return np.concatenate(self._pieces) if self._pieces else np.empty(shape, np.float32)
        if self._mapped is None:
            self._file.flush()
            self._mapped = np.memmap(self._file, np.float32, mode="r+", shape=shape)
            self._file.close()  # the mapping keeps it
        return self._mapped

    def parts(self) -> Iterator[Float32]:
        """Yield all rows so far, piece by piece; nothing is appended after this."""
        if self._file is None:
            yield from self._pieces
            return
        values = self.values()
        step = max(_READ_BYTES // self._row_bytes, 1)
        for first in range(0, self._rows, step):
            yield np.array(values[first : first + step])

    def maximum(self) -> float:
        """Return the largest value of all; nothing is appended after this."""
        return max(float(part.max()) for part in self.parts() if part.size)


def all_finite(values: Float32) -> bool:
    """Return whether no value is NaN or infinite, reading a piece at a time."""
    step = max(_READ_BYTES // max(values[:1].nbytes, 1), 1)
    return all(bool(np.isfinite(values[first : first + step]).all()) for first in range(0, len(values), step))
