"""One file to features: decoded once for all families; what fails is recorded, never raised."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from pipeline.arrays import Float32
from pipeline.audio.block import StreamInfo
from pipeline.errors import PermanentError
from pipeline.extraction.computation import compute_families
from pipeline.extraction.records import failure_of, record_for
from pipeline.extraction.sound import digests_of, open_sound
from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import ExtractTrack, TrackRecord

Alter = Callable[[Iterable[Float32], StreamInfo], Iterable[Float32]]
"""From the pieces (n, channels) of a sound to those of an altered one, of the same rate and channels."""


def extract(
    order: ExtractTrack,
    *,
    path: str,
    missing: AbstractSet[str],
    beside: AbstractSet[str] = frozenset(),
    max_duration_s: float,
    host: str = "",
    content_hash: str | None = None,
    alter: Alter = lambda pieces, _: pieces,
) -> tuple[TrackRecord, dict[str, FeatureRows]]:
    """Return what is to be stored of one file: its record, and the rows of the missing families by family key.

    The order says what the file is called, `path` where it is on this host. `missing` names the families to compute,
    `beside` those that are computed with them and may fail unnoticed; `alter` may change the samples before any family
    gets them.
    A `PermanentError` of the decoder is the record's `failure`; one of a family is an entry of `family_failures` while
    the other families stand; when all of them fail, so does the track, with the first one's kind.
    `content_hash` is the name of the content where the caller knows it; otherwise the file is read once more for it.
    Raises `TransientError` when the file may be readable later, `UsageError` for an unknown family.
    """
    families = [family(name) for name in sorted(missing)]
    companions = [family(name) for name in sorted(beside)]
    record = record_for(order)
    rows: dict[str, FeatureRows] = {}
    try:
        if content_hash is None:
            digests = digests_of(order, path)
            record = record.replace(file_hash=digests.file_hash, sound_hash=digests.sound_hash)
            content_hash = digests.content_hash
        record = record.replace(content_hash=content_hash)
        with open_sound(order, path, max_duration_s=max_duration_s) as reader:
            info = reader.info
            results = compute_families(alter(reader.blocks(), info), info, families, host=host, beside=companions)
            record = record.replace(
                duration_s=results.frames / info.rate_hz,
                sample_rate_hz=info.rate_hz,
                channels=info.channels,
                failure=results.failure,
                family_failures=results.failures,
                note=reader.note,
                declared_s=reader.declared_s,
            )
            rows = results.rows
    except PermanentError as error:
        record = record.replace(failure=failure_of(error, path, host))
    return record, rows
