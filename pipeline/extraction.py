"""One file to features: decoded once for all families; what fails is recorded, never raised."""

from collections.abc import Set as AbstractSet

import numpy as np

from pipeline.audio import Audio
from pipeline.decoding import decode
from pipeline.errors import PermanentError, UnsupportedError
from pipeline.features.registry import family
from pipeline.features.spec import FeatureFamily, FeatureRows
from pipeline.hashing import content_hash
from pipeline.tracks import ExtractTrack, Failure, TrackRecord, printable


def extract(
    order: ExtractTrack, *, missing: AbstractSet[str], max_duration_s: float, host: str = ""
) -> tuple[TrackRecord, dict[str, FeatureRows]]:
    """Return what is to be stored of one file: its record, and the rows of the missing families by family key.

    `missing` names the families to compute. A `PermanentError` of the decoder is the record's `failure`; one of a
    family is an entry of `family_failures` while the other families stand; when all of them fail, so does the track,
    with the first one's kind. Raises `TransientError` when the file may be readable later, `UsageError` for an
    unknown family.
    """
    wanted = [family(name) for name in sorted(missing)]
    record = TrackRecord(
        track_id=order.track_id, path=order.path, stamp=order.stamp, sequence=order.sequence, content_hash=""
    )
    try:
        record = record.replace(content_hash=content_hash(order.path))
        audio = decode(order.path, max_duration_s=max_duration_s)
    except PermanentError as error:
        return record.replace(failure=_failure(error, order.path, host)), {}
    record = record.replace(
        duration_s=audio.duration_s,
        sample_rate_hz=audio.sample_rate_hz,
        channels=audio.channels,
        note=audio.note,
    )
    rows: dict[str, FeatureRows] = {}
    failures: dict[str, Failure] = {}
    for each in wanted:
        try:
            rows[each.spec.key] = _rows(each, audio)
        except PermanentError as error:
            failures[each.spec.key] = _failure(error, order.path, host)
    whole = next(iter(failures.values())) if failures and not rows else None
    return record.replace(failure=whole, family_failures=failures), rows


def _rows(each: FeatureFamily, audio: Audio) -> FeatureRows:
    """Return a family's rows; the store and the models never see a number that is not finite."""
    rows = each.compute(audio)
    if not np.isfinite(rows.values).all():
        raise UnsupportedError(f"{each.spec.name} yields numbers that are not finite")
    return rows


def _failure(error: PermanentError, path: str, host: str) -> Failure:
    """Return the record of an error; the path stands beside it already."""
    return Failure(kind=error.kind, reason=str(error).removeprefix(f"{printable(path)}: "), host=host)
