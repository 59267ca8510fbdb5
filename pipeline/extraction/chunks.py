"""Long recordings cut into chunks, each computed as if it were a file of its own, none ever taken for a song.

A chunk is decided by the content it is cut from and by where, so it is found again in the store under a content key of
its own. Its record says whose copy it is, as an augmented copy's does: libraries, ledgers and datasets pass it over.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import msgspec
import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.block import StreamInfo
from pipeline.audio.decode import open_audio
from pipeline.audio.hashing import content_hash as hashed
from pipeline.audio.stream import AudioStream
from pipeline.errors import PermanentError, TransientError, UsageError
from pipeline.extraction.extract import Computing, failure_of
from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import ExtractTrack, Failure, TrackRecord
from pipeline.text import printable
from pipeline.wire import Value

LEAST_S = 1.0


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
        told = b"chunk " + content_hash.encode() + msgspec.json.encode(self, order="deterministic")
        return hashlib.blake2b(told, digest_size=16).hexdigest()

    def track_id(self, track_id: str, chunk_s: float) -> str:
        """Return the id under which the store records this chunk of a track."""
        told = f"chunk {track_id} {chunk_s!r} {self.number}".encode()
        return hashlib.blake2b(told, digest_size=16).hexdigest()

    def __str__(self) -> str:
        """Return where the chunk is, in words."""
        end = "the end" if self.length_s is None else f"{self.start_s + self.length_s:g} s"
        return f"chunk {self.number + 1}: {self.start_s:g} s to {end}"


def check_length(chunk_s: float) -> None:
    """Refuse a length that cuts nothing sensible. Raises `UsageError`."""
    if not (math.isfinite(chunk_s) and chunk_s >= LEAST_S):
        raise UsageError(f"chunk-s {chunk_s:g}: give seconds, {LEAST_S:g} or more, e.g. 30")


def chunks_of(duration_s: float, chunk_s: float | None) -> tuple[Chunk, ...]:
    """Return the chunks of a recording; none of one that is not cut, as it is no longer than one and a half of them.

    All are `chunk_s` long but the last, which has the rest as well: half to one and a half of that length. A scrap at
    the end would be too short for most families.
    """
    if chunk_s is None:
        return ()
    count = math.floor(duration_s / chunk_s + 0.5)
    if count < 2:
        return ()
    return tuple(
        Chunk(number=n, start_s=n * chunk_s, length_s=chunk_s if n < count - 1 else None) for n in range(count)
    )


def extract_chunks(
    order: ExtractTrack,
    original: TrackRecord,
    chunks: Sequence[Chunk],
    *,
    missing: AbstractSet[str],
    max_duration_s: float,
    host: str = "",
) -> Iterator[tuple[TrackRecord, dict[str, FeatureRows]]]:
    """Yield what is to be stored of each of some chunks of a file, in their order: record and rows by family key.

    The file is decoded once for all of them. `original` is the file's own record; a chunk's has an id and a content
    hash of its own, the file's path and stamp, and the place in its note. Raises `TransientError` when the file no
    longer has that content, and the `PermanentError` of the decoder when it can no longer be read.
    """
    chunk_s = order.chunk_s
    assert chunk_s is not None, "an order that cuts says how"  # noqa: S101 - narrows the type
    if hashed(order.path) != original.content_hash:
        raise TransientError(f"{printable(order.path)}: changed while its chunks were extracted")
    with open_audio(order.path, max_duration_s=max_duration_s) as reader:
        info = StreamInfo(rate_hz=reader.sample_rate_hz, channels=reader.channels)
        cutter = _Cutter(reader.blocks())
        for chunk in chunks:
            cutter.skip_to(_frame(chunk.start_s, info.rate_hz))
            end = None if chunk.length_s is None else _frame(chunk.start_s + chunk.length_s, info.rate_hz)
            rows, failures, frames = _computed(cutter.until(end), info, missing, host)
            record = original.replace(
                track_id=chunk.track_id(order.track_id, chunk_s),
                path=order.path,
                stamp=order.stamp,
                sequence=order.sequence,
                content_hash=chunk.content_key(original.content_hash),
                duration_s=frames / info.rate_hz,
                failure=next(iter(failures.values())) if failures and not rows else None,
                family_failures=failures,
                reused=False,
                note=str(chunk),
                copy_of=original.content_hash,
                mark=None,
            )
            yield record, rows


def _frame(seconds: float, rate_hz: int) -> int:
    return round(seconds * rate_hz)


def _computed(
    pieces: Iterable[Float32], info: StreamInfo, missing: AbstractSet[str], host: str
) -> tuple[dict[str, FeatureRows], dict[str, Failure], int]:
    """Return rows and failures by family key, and the frames there were."""
    computing = [Computing(family(name), info) for name in sorted(missing)]
    stream = AudioStream(info)
    for block in stream.blocks(pieces):
        for each in computing:
            each.push(block)
    rows: dict[str, FeatureRows] = {}
    failures: dict[str, Failure] = {}
    for each in computing:
        told = each.finish()
        if isinstance(told, PermanentError):
            failures[each.key] = failure_of(told, "", host)
        else:
            rows[each.key] = told
    return rows, failures, stream.frames


class _Cutter:
    """Pieces of a sound handed out up to any frame; nothing is kept but the piece at hand."""

    def __init__(self, pieces: Iterator[Float32]) -> None:
        self._pieces = pieces
        self._rest: Float32 = np.empty((0, 0), np.float32)
        self._at = 0
        """The first frame of the rest."""

    def skip_to(self, frame: int) -> None:
        """Pass over what comes before a frame."""
        for _ in self.until(frame):
            pass

    def until(self, end: int | None) -> Iterator[Float32]:
        """Yield what comes before a frame, or all that is left; each piece is valid until the next."""
        while end is None or self._at < end:
            if not len(self._rest):
                piece = next(self._pieces, None)
                if piece is None:
                    return
                self._rest = piece
            taken = self._rest if end is None else self._rest[: end - self._at]
            self._at += len(taken)
            self._rest = self._rest[len(taken) :]
            if len(taken):
                yield taken
