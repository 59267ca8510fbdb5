"""An augmented copy of a file to features: the file decoded again, and altered on the way."""

from collections.abc import Set as AbstractSet
from contextlib import suppress

from pipeline.errors import PermanentError, TransientError
from pipeline.extraction.derived import Derived
from pipeline.extraction.extract import extract
from pipeline.extraction.sound import digests_of, open_sound
from pipeline.extraction.variation import Measurement, apply_variation, measure
from pipeline.features.spec import FeatureRows
from pipeline.library.known_content import same_content
from pipeline.library.tracks import ExtractTrack, TrackRecord
from pipeline.plans.augmentation import Variation
from pipeline.text import printable


def extract_copy(
    order: ExtractTrack,
    original: TrackRecord,
    copy: Derived[Variation],
    *,
    path: str,
    missing: AbstractSet[str],
    max_duration_s: float,
    host: str = "",
) -> tuple[TrackRecord, dict[str, FeatureRows]]:
    """Return what is to be stored of an augmented copy of a file: as `extract` does of the file.

    `original` is the file's own record; that of the copy has an id and a content hash of its own, the file's path and
    stamp, and the parameters in its note. Raises `TransientError` when the file no longer has that content.
    """
    variation = copy.part
    if not same_content(original, digests_of(order, path)):
        raise TransientError(f"{printable(path)}: changed while its copies were extracted")
    measurement = _measurement(order, path, variation, max_duration_s)
    record, rows = extract(
        order,
        path=path,
        missing=missing,
        max_duration_s=max_duration_s,
        host=host,
        content_hash=copy.content_hash,
        alter=lambda pieces, info: apply_variation(
            pieces, info, variation, measurement=measurement, noise_key=copy.content_hash
        ),
    )
    note = f"{variation}; {record.note}" if record.note else str(variation)
    return copy.record(order, record).replace(note=note), rows


def _measurement(order: ExtractTrack, path: str, variation: Variation, max_duration_s: float) -> Measurement:
    """Return what the variation has to know of the whole file, which is read for it only where it does."""
    measurement = Measurement(frames=0, power=0.0)
    if variation.shift_s or variation.snr_db is not None:
        # `extract` meets the same error, and records it.
        with suppress(PermanentError), open_sound(order, path, max_duration_s=max_duration_s) as reader:
            measurement = measure(reader.blocks())
    return measurement
