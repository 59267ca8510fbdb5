"""Chunks of a long recording to features: decoded once for all of them, each computed as a file of its own would be."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from pipeline.audio.parts import PieceCutter, frame_at
from pipeline.errors import TransientError
from pipeline.extraction.computation import compute_families
from pipeline.extraction.derived import Derived
from pipeline.extraction.sound import digests_of, open_sound
from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.library.known_content import same_content
from pipeline.library.tracks import ExtractTrack, TrackRecord
from pipeline.plans.chunks import Chunk
from pipeline.text import printable


def extract_chunks(
    order: ExtractTrack,
    original: TrackRecord,
    chunks: Sequence[Derived[Chunk]],
    *,
    path: str,
    missing: AbstractSet[str],
    max_duration_s: float,
    host: str = "",
) -> Iterator[tuple[TrackRecord, dict[str, FeatureRows]]]:
    """Yield what is to be stored of each of some chunks of a file, in their order: record and rows by family key.

    `original` is the file's own record; a chunk's has an id and a content hash of its own, the file's path and stamp,
    and the place in its note. Raises `TransientError` when the file no longer has that content, and the
    `PermanentError` of the decoder when it can no longer be read.
    """
    families = [family(name) for name in sorted(missing)]
    if not same_content(original, digests_of(order, path)):
        raise TransientError(f"{printable(path)}: changed while its chunks were extracted")
    with open_sound(order, path, max_duration_s=max_duration_s) as reader:
        info = reader.info
        cutter = PieceCutter(reader.blocks())
        for chunk in chunks:
            start_s, length_s = chunk.part.start_s, chunk.part.length_s
            cutter.skip_to(frame_at(start_s, info.rate_hz))
            end = None if length_s is None else frame_at(start_s + length_s, info.rate_hz)
            results = compute_families(cutter.until(end), info, families, host=host)
            record = chunk.record(order, original).replace(
                duration_s=results.frames / info.rate_hz,
                failure=results.failure,
                family_failures=results.failures,
                reused=False,
                note=str(chunk.part),
                declared_s=None,
            )
            yield record, results.rows
