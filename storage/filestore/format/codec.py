"""Ids, lengths and checksums as they lie in segments and parts."""

import zlib
from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Int64

Ids = np.ndarray[tuple[int], np.dtype[np.bytes_]]
"""Ids of 16 bytes each, dtype S16."""


def pack(hex_id: str) -> bytes:
    """Return the 16 bytes of an id of 32 hex digits; zeros for an empty one."""
    return bytes.fromhex(hex_id) if hex_id else bytes(16)


def unpack(packed: bytes) -> str:
    """Return the 32 hex digits of an id."""
    # NumPy drops the trailing zero bytes of fixed-length bytes.
    return bytes(packed).ljust(16, b"\0").hex()


def hex_ids(packed: Ids) -> list[str]:
    """Return the 32 hex digits of each of several ids."""
    digits = np.ascontiguousarray(packed).tobytes().hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]


def ids(hex_ids: Sequence[str]) -> Ids:
    """Return ids as an array, dtype S16."""
    return np.frombuffer(b"".join(map(pack, hex_ids)), dtype="S16")


def index(lengths: Sequence[int]) -> Int64:
    """Return where each of several runs begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]).astype(np.int64)


def crc(*arrays: np.ndarray, begin: int = 0) -> int:
    """Return the CRC-32 of the bytes of arrays."""
    crc = begin
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array).view("u1").data if array.size else b"", crc)
    return crc
