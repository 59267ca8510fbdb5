"""The augmented copies of a file in the store: which are settled, and what an extraction task does about the rest."""

from typing import TYPE_CHECKING

from pipeline.library.tracks import ExtractTrack, Failure, TrackRecord
from pipeline.plans.augmentation import AugmentPlan, Variation
from workers.app.context import Context
from workers.app.path_map import local_path
from workers.extraction.derived import _failed, _of, unsettled_copies
from workers.extraction.failures import FILE_ERRORS, HOST

if TYPE_CHECKING:
    from pipeline.features.spec import FeatureRows


def extract_copies(order: ExtractTrack, original: TrackRecord, context: Context, *, max_duration_s: float) -> None:
    """Extract the copies of a file that the store lacks, one commit each; a copy that fails is a record too."""
    from pipeline.features.registry import family

    specs = {family(name).spec.key: family(name).spec for name in order.families}
    plan, store = order.augment, context.store
    for variation in unsettled_copies(plan, original, frozenset(specs), store):
        assert plan is not None  # noqa: S101 - narrows the type: without a plan there are no variations
        content = variation.content_key(original.content_hash)
        twin = store.record_of_content(content)
        done = store.families_of(content) | (twin.family_failures.keys() if twin else frozenset())
        missing = frozenset(spec.name for key, spec in specs.items() if key not in done)
        if twin is not None and not missing:
            record = _of(order, plan, variation, twin).replace(reused=True)
            rows: dict[str, FeatureRows] = {}
        else:
            here = order.replace(path=local_path(order.path, context.settings.maps))
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
    from pipeline.extraction.copies import extract_copy

    content = original.content_hash
    try:
        return extract_copy(
            order, plan, variation, content_hash=content, missing=missing, max_duration_s=max_duration_s, host=HOST
        )
    except FILE_ERRORS as error:
        failure = Failure(kind="crashed", reason=f"{type(error).__name__}: {error}", host=HOST)
        return _failed(order, plan, variation, original, failure), {}
