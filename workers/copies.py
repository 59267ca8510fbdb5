"""The augmented copies of a file in the store: which are settled, and what an extraction task does about the rest."""

from typing import TYPE_CHECKING

from pipeline.augmentation.plans import AugmentPlan, Variation, variations
from pipeline.tracks import ExtractTrack, Failure, TrackRecord
from storage.rules import accounted_for
from workers.context import Context
from workers.extracting import HOST, SURPRISES
from workers.mapping import local

if TYPE_CHECKING:
    from pipeline.features.spec import FeatureRows
    from storage import FeatureStore, Snapshot


def unsettled(
    plan: AugmentPlan | None, original: TrackRecord, keys: frozenset[str], source: "FeatureStore | Snapshot"
) -> list[Variation]:
    """Return the copies of a stored file for which something is left to do; a failed file has no copies."""
    if plan is None or original.failure is not None:
        return []
    return [
        variation
        for variation in variations(plan, original.content_hash)
        if not _settled(plan, original, variation, keys, source)
    ]


def _settled(
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


def extract_copies(order: ExtractTrack, original: TrackRecord, context: Context, *, max_duration_s: float) -> None:
    """Extract the copies of a file that the store lacks, one commit each; a copy that fails is a record too."""
    from pipeline.features.registry import family

    specs = {family(name).spec.key: family(name).spec for name in order.families}
    plan, store = order.augment, context.store
    for variation in unsettled(plan, original, frozenset(specs), store):
        assert plan is not None  # noqa: S101 - narrows the type: without a plan there are no variations
        content = variation.content_key(original.content_hash)
        twin = store.record_of_content(content)
        done = store.families_of(content) | (twin.family_failures.keys() if twin else frozenset())
        missing = frozenset(spec.name for key, spec in specs.items() if key not in done)
        if twin is not None and not missing:
            record = _of(order, plan, variation, twin).replace(reused=True)
            rows: dict[str, FeatureRows] = {}
        else:
            here = order.replace(path=local(order.path, context.settings.maps))
            record, rows = _extracted(here, plan, variation, original, missing=missing, max_duration_s=max_duration_s)
            record = record.replace(path=order.path)
            if twin is not None:
                failures = {**twin.family_failures, **record.family_failures}
                record = record.replace(failure=None, family_failures=failures)
        store.commit(record, rows, {key: specs[key] for key in rows})


def _extracted(
    order: ExtractTrack,
    plan: AugmentPlan,
    variation: Variation,
    original: TrackRecord,
    *,
    missing: frozenset[str],
    max_duration_s: float,
) -> "tuple[TrackRecord, dict[str, FeatureRows]]":
    from pipeline.augmentation.copies import extract_copy

    content = original.content_hash
    try:
        return extract_copy(
            order, plan, variation, content_hash=content, missing=missing, max_duration_s=max_duration_s, host=HOST
        )
    except SURPRISES as error:
        failure = Failure(kind="crashed", reason=f"{type(error).__name__}: {error}", host=HOST)
        return _failed(order, plan, variation, original, failure), {}


def fail_copies(order: ExtractTrack, original: TrackRecord, context: Context, failure: Failure) -> None:
    """Record a failure for every copy of a file that is not settled."""
    from pipeline.features.registry import family

    keys = frozenset(family(name).spec.key for name in order.families)
    for variation in unsettled(order.augment, original, keys, context.store):
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
