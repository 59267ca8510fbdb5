"""An augmented copy of a file to features: decoded again, altered on the way, recorded under ids of its own."""

from collections.abc import Set as AbstractSet

from pipeline.audio.decode import open_audio
from pipeline.errors import PermanentError, TransientError
from pipeline.extraction.extract import extract
from pipeline.extraction.variation import Measured, measure, varied
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import ExtractTrack, TrackRecord
from pipeline.plans.augmentation import AugmentPlan, Variation
from pipeline.text import printable


def extract_copy(
    order: ExtractTrack,
    plan: AugmentPlan,
    variation: Variation,
    *,
    content_hash: str,
    missing: AbstractSet[str],
    max_duration_s: float,
    host: str = "",
) -> tuple[TrackRecord, dict[str, FeatureRows]]:
    """Return what is to be stored of an altered copy of a file: as `extract` does of the file.

    The record has the copy's own id and content hash, the file's path and stamp, and the parameters in its note.
    Raises `TransientError` when the file no longer has the content of `content_hash`.
    """
    key = variation.content_key(content_hash)
    measured = _measured(order.path, variation, max_duration_s)
    record, rows = extract(
        order.replace(track_id=plan.track_id(order.track_id, variation.copy)),
        missing=missing,
        max_duration_s=max_duration_s,
        host=host,
        alter=lambda pieces, info: varied(pieces, info, variation, measured=measured, noise_key=key),
    )
    if record.content_hash != content_hash:
        raise TransientError(f"{printable(order.path)}: changed while its copies were extracted")
    note = f"{variation}; {record.note}" if record.note else str(variation)
    return record.replace(content_hash=key, copy_of=content_hash, note=note), rows


def _measured(path: str, variation: Variation, max_duration_s: float) -> Measured:
    """Return what the variation has to know of the whole file, read for it only when it does."""
    if not variation.shift_s and variation.snr_db is None:
        return Measured(frames=0, power=0.0)
    try:
        with open_audio(path, max_duration_s=max_duration_s) as reader:
            return measure(reader.blocks())
    except PermanentError:
        return Measured(frames=0, power=0.0)  # extracting meets the same error, and records it
