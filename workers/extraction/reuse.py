"""A content is computed once: what the store has of it, under whatever name, is reused."""

from collections.abc import Callable

from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import TrackRecord
from workers.extraction.job import Job

Rows = dict[str, FeatureRows]
"""By family key."""


def complete(
    job: Job,
    content_hash: str,
    known: TrackRecord | None,
    compute: Callable[[frozenset[str]], tuple[TrackRecord, Rows]],
) -> tuple[TrackRecord, Rows]:
    """Return what is to be stored of a content; `compute` is called with the names of the families it lacks, if any.

    `known` is the newest record of the track. The record returned may be that of another track with this content.
    """
    stored = job.store.families_of(content_hash)
    was_decoded = known is not None and known.content_hash == content_hash and bool(known.family_failures)
    earlier = known if was_decoded else job.store.record_of_content(content_hash)
    done = stored | (earlier.family_failures.keys() if earlier is not None else frozenset())
    missing = frozenset(spec.name for key, spec in job.specs.items() if key not in done)
    if earlier is not None and not missing:
        record, rows = earlier.replace(reused=True), Rows()
    else:
        record, rows = compute(missing)
        if earlier is not None:
            # What the content lacks now does not undo what it had then.
            record = record.replace(
                failure=None if rows or stored else record.failure or earlier.failure,
                family_failures={**earlier.family_failures, **record.family_failures},
            )
    return record, rows
