"""What an extraction task does: decide what is left to do for a file, decode it once, record, commit, count."""

from pipeline.errors import MissingError
from pipeline.extraction.extract import extract
from pipeline.extraction.records import failure_of, record_for
from pipeline.extraction.sound import digests_of
from pipeline.library.known_content import content_of, identified
from pipeline.library.tags.read import find_tags
from pipeline.library.tags.tags import Tags
from pipeline.library.tracks import ExtractTrack, Failure, Receipt, TrackRecord
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker.counters import AttemptState
from workers.extraction.derived import extract_derived, fail_derived
from workers.extraction.failures import FILE_ERRORS, HOST
from workers.extraction.job import Job
from workers.extraction.mounts import LibraryNotMountedError, missing_library
from workers.extraction.reuse import Rows, complete
from workers.extraction.settled import audio_s, is_file_settled, is_retagged, outcome


def extract_one(order: ExtractTrack, context: Context) -> Receipt:
    """Extract one file into the store and return what became of it.

    Safe to run any number of times: what is stored already is not computed again. Raises `StoreError` when the
    store cannot take the result and `LibraryNotMountedError` when the library is not there, which are worth another
    attempt.
    """
    counters = context.counters
    begun = counters.begin(order.run_id, order.track_id)
    if begun.cancelled:
        return Receipt(track_id=order.track_id, path=order.path, outcome="cancelled")
    job = Job(order, context)
    known = job.store.record(order.track_id)
    given_up = too_many_attempts(begun, context.settings)
    if given_up is not None:
        record = record_for(order).replace(failure=given_up)
        job.commit(record, {})
        fail_derived(job, given_up)
    else:
        record = (
            known
            if known is not None and is_file_settled(known, order.stamp, job.keys, job.store)
            else _extract(job, known, begun.attempt)
        )
        extract_derived(job, record)
    failure = record.failure
    receipt = Receipt(
        track_id=order.track_id,
        path=order.path,
        outcome=outcome(record, order.sequence),
        kind=failure.kind if failure is not None else None,
        reason=failure.reason if failure is not None else "",
        audio_s=audio_s(record),
        retagged=is_retagged(record, order.sequence),
    )
    if record is known and record.sequence == order.sequence:
        # An earlier delivery of the same order stored and counted it.
        counters.forget(order.run_id, order.track_id)
    else:
        counters.settle(order.run_id, order.track_id, receipt.outcome, kind=receipt.kind, audio_s=receipt.audio_s)
    return receipt


def too_many_attempts(begun: AttemptState, settings: Settings) -> Failure | None:
    """Return the failure of a file that is not to be opened again; None for one that may be."""
    before = begun.attempt - 1
    failure = None
    if begun.timed_out:
        # Once is enough: what did not end in that time would take the next process as long.
        reason = f"not done after {settings.extract_limit_s:,} s"
        failure = Failure(kind="timeout", reason=reason, attempts=before, host=HOST)
    elif begun.attempt > settings.attempts:
        failure = Failure(kind="crashed", reason=f"took its worker down {before} times", attempts=before, host=HOST)
    return failure


def _extract(job: Job, known: TrackRecord | None, attempt: int) -> TrackRecord:
    """Extract a file as far as the store lacks it, and return the record that was committed; `known` is its newest."""
    order = job.order
    rows = Rows()
    try:
        digests = digests_of(order, job.path)
        content = content_of(digests, known, is_stored=job.is_stored, content_of_sound=job.store.content_of_sound)
        record, rows = complete(
            job,
            content,
            known,
            lambda missing: extract(
                order,
                path=job.path,
                missing=missing,
                beside=job.companions(content),
                max_duration_s=job.max_duration_s,
                host=HOST,
                content_hash=content,
            ),
        )
        record = identified(record_for(order, record), digests, known)
    except FILE_ERRORS as error:
        if isinstance(error, MissingError) and (library := missing_library(job.context, order.run_id)):
            # Not the file's fault: nothing is recorded, and the attempt does not count.
            job.context.counters.forget(order.run_id, order.track_id)
            raise LibraryNotMountedError(
                f"library {library} on host {HOST}; mount it there or name its place by --map"
            ) from error
        record = record_for(order).replace(failure=failure_of(error, job.path, HOST))
    if record.failure is not None:
        record = record.replace(failure=record.failure.replace(attempts=attempt, host=HOST))
    record = record.replace(tags=_tags(job))
    job.commit(record, rows)
    return record


def _tags(job: Job) -> Tags | None:
    """Return what the order's file says of itself, of a track in an album with what the cue sheet says of it."""
    tags = find_tags(job.path)
    sheet = job.order.sheet
    return tags if sheet is None else sheet.in_album(tags or Tags())
