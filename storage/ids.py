"""Ids of tracks and contents as arrays: packing, unpacking and looking up."""

from collections.abc import Iterable

import numpy as np

from pipeline.arrays import Int64

Ids = np.ndarray[tuple[int], np.dtype[np.bytes_]]
"""Ids of 16 bytes each, shape (n,), dtype S16."""


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


def ids(hex_ids: Iterable[str]) -> Ids:
    """Return ids as an array; takes no more memory than its 16 bytes for each, so that millions may be streamed in."""
    packed = bytearray()
    for hex_id in hex_ids:
        packed += pack(hex_id)
    return np.frombuffer(bytes(packed), dtype="S16")


def positions(ascending: Ids, wanted: Ids) -> Int64:
    """Return where each id of `wanted` (n,) is in an ascending array, shape (n,); -1 for those that are not in it."""
    if not len(ascending):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[at] == wanted, at, -1).astype(np.int64)
