"""The chunks of a long recording in the store: which are settled, and what an extraction task does about the rest."""

from pipeline.errors import PermanentError
from pipeline.library.tracks import ExtractTrack, Failure, TrackRecord
from pipeline.text import printable
from workers.app.context import Context
from workers.app.path_map import local_path
from workers.extraction.derived import fail_chunks, unsettled_chunks
from workers.extraction.failures import FILE_ERRORS, HOST


def extract_chunks(order: ExtractTrack, original: TrackRecord, context: Context, *, max_duration_s: float) -> None:
    """Extract the chunks of a file that the store lacks, one commit each; a chunk that fails is a record too."""
    from pipeline.extraction import chunks
    from pipeline.features.registry import family

    specs = {family(name).spec.key: family(name).spec for name in order.families}
    left = unsettled_chunks(order.chunk_s, original, frozenset(specs), context.store)
    if not left:
        return
    here = order.replace(path=local_path(order.path, context.settings.maps))
    try:
        for record, rows in chunks.extract_chunks(
            here, original, left, missing=frozenset(order.families), max_duration_s=max_duration_s, host=HOST
        ):
            named = record.replace(path=order.path)
            context.store.commit(named, rows, {key: specs[key] for key in rows})
    except PermanentError as error:
        reason = str(error).removeprefix(f"{printable(here.path)}: ")
        fail_chunks(order, original, context, Failure(kind=error.kind, reason=reason, host=HOST))
    except FILE_ERRORS as error:
        reason = f"{type(error).__name__}: {error}"
        fail_chunks(order, original, context, Failure(kind="crashed", reason=reason, host=HOST))
