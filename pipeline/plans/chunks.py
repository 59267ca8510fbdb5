"""How a long recording is cut: plain values.

A chunk is decided by the content it is cut from and by its place, so that it is stored once, under a content key of its
own.
"""

import hashlib
import math

import msgspec

from pipeline.errors import UsageError
from pipeline.wire import Value

LEAST_S = 1.0
"""The shortest length that a recording may be cut by."""


class Chunk(Value, frozen=True, kw_only=True):
    """A piece of a recording."""

    number: int
    """0, 1, ..."""
    start_s: float
    length_s: float | None
    """None for the last one, which goes to the end."""
    version: int = 1
    """Raised whenever the cut changes for the same numbers."""

    def content_key(self, content_hash: str) -> str:
        """Return the content hash of this chunk of a content: 32 hex digits."""
        key = b"chunk " + content_hash.encode() + msgspec.json.encode(self, order="deterministic")
        return hashlib.blake2b(key, digest_size=16).hexdigest()

    def track_id(self, track_id: str, chunk_s: float) -> str:
        """Return the id under which the store records this chunk of a track."""
        key = f"chunk {track_id} {chunk_s!r} {self.number}".encode()
        return hashlib.blake2b(key, digest_size=16).hexdigest()

    def __str__(self) -> str:
        """Return where the chunk is, in words."""
        end = "the end" if self.length_s is None else f"{self.start_s + self.length_s:g} s"
        return f"chunk {self.number + 1}: {self.start_s:g} s to {end}"


def check_length(chunk_s: float) -> None:
    """Raise `UsageError` for a length that no recording is cut by."""
    if not (math.isfinite(chunk_s) and chunk_s >= LEAST_S):
        raise UsageError(f"chunk-s {chunk_s:g}: give seconds, {LEAST_S:g} or more, e.g. 30")


def chunks_of(duration_s: float, chunk_s: float | None) -> tuple[Chunk, ...]:
    """Return the chunks of a recording; none of one that is not cut: of less than one and a half times `chunk_s`.

    All are `chunk_s` long but the last, which has the rest as well: half to one and a half of that length. A shorter
    piece at the end would be too short for most families.
    """
    if chunk_s is None:
        return ()
    count = math.floor(duration_s / chunk_s + 0.5)
    return tuple(
        Chunk(number=n, start_s=n * chunk_s, length_s=chunk_s if n < count - 1 else None)
        for n in range(count if count > 1 else 0)
    )
