"""Augmented copies and chunks of a file in the store: which are settled, and the failure records of the rest."""

from typing import TYPE_CHECKING

from pipeline.extraction.chunks import Chunk, chunks_of
from pipeline.library.tracks import ExtractTrack, Failure, TrackRecord
from pipeline.plans.augmentation import AugmentPlan, Variation, variations
from storage.rules import accounted_for
from workers.app.context import Context

if TYPE_CHECKING:
    from storage import FeatureStore, Snapshot


def unsettled_copies(
    plan: AugmentPlan | None, original: TrackRecord, keys: frozenset[str], source: "FeatureStore | Snapshot"
) -> list[Variation]:
    """Return the copies of a stored file for which something is left to do; a failed file has no copies."""
    if plan is None or original.failure is not None:
        return []
    return [
        variation
        for variation in variations(plan, original.content_hash)
        if not _copy_settled(plan, original, variation, keys, source)
    ]


def _copy_settled(
    plan: AugmentPlan,
    original: TrackRecord,
    variation: Variation,
    keys: frozenset[str],
    source: "FeatureStore | Snapshot",
) -> bool:
    """Tell whether every family of a copy is stored or known to be impossible."""
    record = source.record(plan.track_id(original.track_id, variation.copy))
    if record is None or record.content_hash != variation.content_key(original.content_hash):
        return False
    return accounted_for(record, keys, source.families_of(record.content_hash))


def fail_copies(order: ExtractTrack, original: TrackRecord, context: Context, failure: Failure) -> None:
    """Record a failure for every copy of a file that is not settled."""
    from pipeline.features.registry import family

    keys = frozenset(family(name).spec.key for name in order.families)
    for variation in unsettled_copies(order.augment, original, keys, context.store):
        assert order.augment is not None  # noqa: S101 - as above
        context.store.commit(_failed(order, order.augment, variation, original, failure), {}, {})


def _failed(
    order: ExtractTrack, plan: AugmentPlan, variation: Variation, original: TrackRecord, failure: Failure
) -> TrackRecord:
    return _of(order, plan, variation, original).replace(
        content_hash=variation.content_key(original.content_hash),
        copy_of=original.content_hash,
        note=str(variation),
        failure=failure,
        family_failures={},
        reused=False,
    )


def _of(order: ExtractTrack, plan: AugmentPlan, variation: Variation, record: TrackRecord) -> TrackRecord:
    """Return a record as that of a copy of the file that the order names."""
    return record.replace(
        track_id=plan.track_id(order.track_id, variation.copy),
        path=order.path,
        stamp=order.stamp,
        sequence=order.sequence,
        mark=None,
    )


def unsettled_chunks(
    chunk_s: float | None, original: TrackRecord, keys: frozenset[str], source: "FeatureStore | Snapshot"
) -> list[Chunk]:
    """Return the chunks of a stored file for which something is left to do; a file without sound has none."""
    if chunk_s is None or not has_sound(original):
        return []
    return [
        chunk
        for chunk in chunks_of(original.duration_s, chunk_s)
        if not _chunk_settled(chunk, chunk_s, original, keys, source)
    ]


def has_sound(record: TrackRecord) -> bool:
    """Tell whether a file could be decoded, be it too long for every family as a whole."""
    return bool(record.content_hash) and record.duration_s > 0 and record.mark is None


def _chunk_settled(
    chunk: Chunk, chunk_s: float, original: TrackRecord, keys: frozenset[str], source: "FeatureStore | Snapshot"
) -> bool:
    content = chunk.content_key(original.content_hash)
    stored = source.families_of(content)
    if keys <= stored:
        return True  # cut from a copy of the file, or under another name: what was said of it then says it now
    record = source.record(chunk.track_id(original.track_id, chunk_s))
    return record is not None and record.content_hash == content and accounted_for(record, keys, stored)


def fail_chunks(order: ExtractTrack, original: TrackRecord, context: Context, failure: Failure) -> None:
    """Record a failure for every chunk of a file that is not settled."""
    from pipeline.features.registry import family

    keys = frozenset(family(name).spec.key for name in order.families)
    for chunk in unsettled_chunks(order.chunk_s, original, keys, context.store):
        record = original.replace(
            track_id=chunk.track_id(order.track_id, order.chunk_s or 0.0),
            path=order.path,
            stamp=order.stamp,
            sequence=order.sequence,
            content_hash=chunk.content_key(original.content_hash),
            copy_of=original.content_hash,
            note=str(chunk),
            failure=failure,
            family_failures={},
            reused=False,
            mark=None,
        )
        context.store.commit(record, {}, {})
