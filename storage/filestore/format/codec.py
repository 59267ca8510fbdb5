"""Offsets and checksums as they lie in segments and parts."""

import zlib
from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Int64


def offsets(lengths: Sequence[int]) -> Int64:
    """Return where each of n runs that lie end to end begins, and where the last one ends, shape (n + 1,)."""
    return np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]).astype(np.int64)


def crc(*arrays: np.ndarray, begin: int = 0) -> int:
    """Return the CRC-32 of the bytes of arrays, end to end."""
    crc = begin
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array).view("u1").data if array.size else b"", crc)
    return crc
