"""What an extraction task does: see what is missing, decode once, commit, tell."""

from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.errors import FailureKind, MissingError, PermanentError
from pipeline.library.tracks import ExtractTrack, Failure, Outcome, Receipt, TrackRecord
from pipeline.text import printable
from workers.app.context import Context
from workers.app.path_map import local_path
from workers.broker.counters import AttemptState
from workers.extraction.failures import FILE_ERRORS, HOST
from workers.extraction.mounts import LibraryNotMountedError, missing_library
from workers.extraction.settled import settled

if TYPE_CHECKING:
    from pipeline.features.spec import FeatureRows
    from pipeline.plans.run import RunPlan


def extract_one(order: ExtractTrack, context: Context) -> Receipt:
    """Extract one file into the store and return what became of it.

    Safe to run any number of times: what is stored already is not computed again. Raises `StoreError` when the
    store cannot take the result and `UnseenError` when the library is not there, which are worth another attempt.
    """
    begun = context.counters.begin(order.run_id, order.track_id)
    if begun.cancelled:
        return _receipt(order, "cancelled")
    given_up = _given_up(order, context, begun)
    again = False
    if given_up is not None:
        record = given_up
        context.store.commit(record, {}, {})
        if order.augment is not None or order.chunk_s is not None:
            _give_up_copies(order, context, record.failure)
    else:
        record, again = _extract(order, context, begun.attempt)
        if order.augment is not None:
            from workers.extraction.copies import extract_copies

            extract_copies(order, record, context, max_duration_s=_plan(context, order.run_id).max_duration_s)
        if order.chunk_s is not None:
            from workers.extraction.chunks import extract_chunks

            extract_chunks(order, record, context, max_duration_s=_plan(context, order.run_id).max_duration_s)
    receipt = _told(order, record)
    if again:
        context.counters.forget(order.run_id, order.track_id)
    else:
        context.counters.settle(
            order.run_id, order.track_id, receipt.outcome, kind=receipt.kind, audio_s=receipt.audio_s
        )
    return receipt


def _extract(order: ExtractTrack, context: Context, attempt: int) -> tuple[TrackRecord, bool]:
    """Return the record of a file, and whether an earlier delivery of the same order had stored it already."""
    from pipeline.audio.hashing import content_hash
    from pipeline.extraction.extract import extract
    from pipeline.features.registry import family

    store = context.store
    specs = {name: family(name).spec for name in order.families}
    keys = frozenset(spec.key for spec in specs.values())
    rows: dict[str, FeatureRows] = {}
    here = order.replace(path=local_path(order.path, context.settings.maps))
    try:
        content = content_hash(here.path)
        known = store.record(order.track_id)
        stored = store.families_of(content)
        if known is not None and settled(known, order.stamp, keys, stored):
            return known, known.sequence == order.sequence
        decoded = known is not None and known.content_hash == content and bool(known.family_failures)
        twin = known if decoded else store.record_of_content(content)
        done = stored | (twin.family_failures.keys() if twin else frozenset())
        missing = frozenset(name for name, spec in specs.items() if spec.key not in done)
        if twin is not None and not missing:
            record = twin.replace(
                track_id=order.track_id,
                path=order.path,
                stamp=order.stamp,
                sequence=order.sequence,
                reused=True,
                mark=None,
            )
        else:
            limit_s = _plan(context, order.run_id).max_duration_s
            record, rows = extract(here, missing=missing, max_duration_s=limit_s, host=HOST, content_hash=content)
            record = record.replace(path=order.path)
            if twin is not None:
                record = _with_earlier(record, twin, has_rows=bool(rows or stored))
    except PermanentError as error:
        if isinstance(error, MissingError) and (library := missing_library(context, order.run_id)):
            # Not the file's fault: nothing is recorded, and the attempt does not count.
            context.counters.forget(order.run_id, order.track_id)
            raise LibraryNotMountedError(
                f"library {library} on host {HOST}; mount it there or name its place by --map"
            ) from error
        record = _failed(order, error.kind, str(error).removeprefix(f"{printable(here.path)}: "), attempts=attempt)
    except FILE_ERRORS as error:
        record = _failed(order, "crashed", f"{type(error).__name__}: {error}", attempts=attempt)
    if record.failure is not None:
        record = record.replace(failure=record.failure.replace(attempts=attempt, host=HOST))
    store.commit(record, rows, {spec.key: spec for spec in specs.values() if spec.key in rows})
    return record, False


def _given_up(order: ExtractTrack, context: Context, begun: AttemptState) -> TrackRecord | None:
    """Return the failure of a file that is not to be opened again; None for one that may be."""
    before = begun.attempt - 1
    if begun.timed_out:
        # Once is enough: what did not end in that time would take the next process as long.
        reason = f"not done after {context.settings.extract_limit_s:,} s"
        return _failed(order, "timeout", reason, attempts=before)
    if begun.attempt > context.settings.attempts:
        return _failed(order, "crashed", f"took its worker down {before} times", attempts=before)
    return None


def _give_up_copies(order: ExtractTrack, context: Context, failure: Failure | None) -> None:
    """Record the failure of a task for the copies and chunks it did not come to, where the file had not failed."""
    from workers.extraction.derived import fail_chunks, fail_copies

    original = context.store.record(order.track_id)
    if original is not None and original.stamp == order.stamp and failure is not None:
        fail_copies(order, original, context, failure)
        fail_chunks(order, original, context, failure)


def _with_earlier(record: TrackRecord, twin: TrackRecord, *, has_rows: bool) -> TrackRecord:
    """Return a record of a content that was decoded before: what it lacks now does not undo what it had then."""
    return record.replace(
        failure=None if has_rows else record.failure or twin.failure,
        family_failures={**twin.family_failures, **record.family_failures},
    )


@lru_cache(maxsize=8)
def _plan(context: Context, run_id: str) -> "RunPlan":
    return context.ledger.plan(run_id)


def _failed(order: ExtractTrack, kind: FailureKind, reason: str, *, attempts: int) -> TrackRecord:
    return TrackRecord(
        track_id=order.track_id,
        path=order.path,
        stamp=order.stamp,
        sequence=order.sequence,
        content_hash="",
        failure=Failure(
            kind=kind, reason=reason.removeprefix(f"{printable(order.path)}: "), attempts=attempts, host=HOST
        ),
    )


def _told(order: ExtractTrack, record: TrackRecord) -> Receipt:
    if record.failure is not None:
        return _receipt(order, "failed", record.failure)
    outcome: Outcome = "unchanged" if record.reused or record.sequence != order.sequence else "extracted"
    return _receipt(order, outcome, audio_s=record.duration_s)


def _receipt(order: ExtractTrack, outcome: Outcome, failure: Failure | None = None, audio_s: float = 0.0) -> Receipt:
    return Receipt(
        track_id=order.track_id,
        path=order.path,
        outcome=outcome,
        kind=failure.kind if failure else None,
        reason=failure.reason if failure else "",
        audio_s=audio_s,
    )
