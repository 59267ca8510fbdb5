"""Sound made from a file and stored beside it, as a track of its own: augmented copies, and chunks.

Their records name the content they were made from; libraries, ledgers and datasets pass them over as files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.extraction.records import record_for
from pipeline.library.tracks import ExtractTrack, Failure, TrackRecord
from pipeline.plans.augmentation import AugmentPlan, Variation, variations
from pipeline.plans.chunks import Chunk, chunks_of

Part = TypeVar("Part", Variation, Chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Generic[Part]):
    """An augmented copy, or a chunk, of a file."""

    part: Part
    """How it differs from the file, or where in it it lies."""
    track_id: str
    content_hash: str
    """Of its own: decided by the file's content and the part."""
    copy_of: str
    """The content hash of the file."""
    needs_record: bool
    """Whether it is found by its record. Chunks are found by their content, so rows without a record do: they were
    cut from a duplicate of the file."""

    def record(self, order: ExtractTrack, sound: TrackRecord) -> TrackRecord:
        """Return what a record says of a sound, as that of this part of the file that an order names."""
        record = record_for(order, sound)
        return record.replace(
            track_id=self.track_id,
            content_hash=self.content_hash,
            copy_of=self.copy_of,
            # Those of the file are in its own record; this sound is in no file.
            file_hash="",
            sound_hash="",
            retagged=False,
            tags=None,
        )

    def failed(self, order: ExtractTrack, original: TrackRecord, failure: Failure) -> TrackRecord:
        """Return the record of this part of a file when it could not be extracted."""
        record = self.record(order, original)
        return record.replace(note=str(self.part), failure=failure, family_failures={}, reused=False)


def derived_copies(original: TrackRecord, plan: AugmentPlan | None) -> Sequence[Derived[Variation]]:
    """Return the augmented copies of a stored file; none without a plan, and none of a file that failed."""
    if plan is None or original.failure is not None:
        return ()
    return [
        Derived(
            part=variation,
            track_id=plan.track_id(original.track_id, variation.copy),
            content_hash=variation.content_key(original.content_hash),
            copy_of=original.content_hash,
            needs_record=True,
        )
        for variation in variations(plan, original.content_hash)
    ]


def derived_chunks(original: TrackRecord, chunk_s: float | None) -> Sequence[Derived[Chunk]]:
    """Return the chunks of a stored file; none without a length (seconds), and none of a file without sound."""
    if chunk_s is None or not has_sound(original):
        return ()
    return [
        Derived(
            part=chunk,
            track_id=chunk.track_id(original.track_id, chunk_s),
            content_hash=chunk.content_key(original.content_hash),
            copy_of=original.content_hash,
            needs_record=False,
        )
        for chunk in chunks_of(original.duration_s, chunk_s)
    ]


def derived_of(
    original: TrackRecord, plan: AugmentPlan | None, chunk_s: float | None
) -> Sequence[Derived[Variation] | Derived[Chunk]]:
    """Return the augmented copies and the chunks of a stored file."""
    return [*derived_copies(original, plan), *derived_chunks(original, chunk_s)]


def has_sound(record: TrackRecord) -> bool:
    """Tell whether a file could be decoded, be it too long for every family as a whole."""
    return bool(record.content_hash) and record.duration_s > 0 and record.mark is None
