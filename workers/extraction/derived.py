"""What an extraction task does about the augmented copies and the chunks of its file."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pipeline.extraction.chunks import extract_chunks
from pipeline.extraction.copies import extract_copy
from pipeline.extraction.derived import Derived, derived_chunks, derived_copies, derived_of
from pipeline.extraction.records import failure_of
from pipeline.library.tracks import Failure, TrackRecord
from pipeline.plans.augmentation import Variation
from workers.extraction.failures import FILE_ERRORS, HOST
from workers.extraction.job import Job
from workers.extraction.reuse import Rows, complete
from workers.extraction.settled import unsettled


def extract_derived(job: Job, original: TrackRecord) -> None:
    """Extract the copies and chunks that the store lacks of a file, one commit each; a failure is a record too."""
    order = job.order
    for copy in unsettled(derived_copies(original, order.augment), job.keys, job.store):
        _commit(job, original, [copy], _copy(job, original, copy))
    chunks = unsettled(derived_chunks(original, order.chunk_s), job.keys, job.store)
    if chunks:  # decoded once for all of them, so none is left out for what the store has of it
        missing, limit_s = frozenset(order.families), job.max_duration_s
        results = extract_chunks(
            order, original, chunks, path=job.path, missing=missing, max_duration_s=limit_s, host=HOST
        )
        _commit(job, original, chunks, results)


def fail_derived(job: Job, failure: Failure) -> None:
    """Record the failure of a task for the copies and chunks that it did not come to, where the file had not failed."""
    original = job.store.record(job.order.track_id)
    if original is not None and original.stamp.matches(job.order.stamp):
        _fail(job, original, derived_of(original, job.order.augment, job.order.chunk_s), failure)


def _fail(job: Job, original: TrackRecord, derived: Iterable[Derived[Any]], failure: Failure) -> None:
    """Record a failure for every copy or chunk of a file, of those given, that is not settled."""
    for each in unsettled(derived, job.keys, job.store):
        job.commit(each.failed(job.order, original, failure), {})


def _copy(job: Job, original: TrackRecord, copy: Derived[Variation]) -> Iterator[tuple[TrackRecord, Rows]]:
    """Yield what is to be stored of a copy."""
    record, rows = complete(
        job,
        copy.content_hash,
        job.store.record(copy.track_id),
        lambda missing: extract_copy(
            job.order, original, copy, path=job.path, missing=missing, max_duration_s=job.max_duration_s, host=HOST
        ),
    )
    yield copy.record(job.order, record), rows


def _commit(
    job: Job, original: TrackRecord, derived: Sequence[Derived[Any]], results: Iterator[tuple[TrackRecord, Rows]]
) -> None:
    """Commit the results of some copies or chunks as they come; when they break off, the rest has failed."""
    try:
        for record, rows in results:
            job.commit(record, rows)
    except FILE_ERRORS as error:
        _fail(job, original, derived, failure_of(error, job.path, HOST))
