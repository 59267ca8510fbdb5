"""The chunks of a long recording in the store: which are settled, and what an extraction task does about the rest."""

from typing import TYPE_CHECKING

from pipeline.chunks import Chunk, chunks_of
from pipeline.errors import PermanentError
from pipeline.tracks import ExtractTrack, Failure, TrackRecord, printable
from storage.rules import accounted_for
from workers.context import Context
from workers.extracting import HOST, SURPRISES
from workers.mapping import local

if TYPE_CHECKING:
    from storage import FeatureStore, Snapshot


def unsettled(
    chunk_s: float | None, original: TrackRecord, keys: frozenset[str], source: "FeatureStore | Snapshot"
) -> list[Chunk]:
    """Return the chunks of a stored file for which something is left to do; a file without sound has none."""
    if chunk_s is None or not has_sound(original):
        return []
    return [
        chunk
        for chunk in chunks_of(original.duration_s, chunk_s)
        if not _settled(chunk, chunk_s, original, keys, source)
    ]


def has_sound(record: TrackRecord) -> bool:
    """Tell whether a file could be decoded, be it too long for every family as a whole."""
    return bool(record.content_hash) and record.duration_s > 0 and record.mark is None


def _settled(
    chunk: Chunk, chunk_s: float, original: TrackRecord, keys: frozenset[str], source: "FeatureStore | Snapshot"
) -> bool:
    content = chunk.content_key(original.content_hash)
    stored = source.families_of(content)
    if keys <= stored:
        return True  # cut from a copy of the file, or under another name: what was said of it then says it now
    record = source.record(chunk.track_id(original.track_id, chunk_s))
    return record is not None and record.content_hash == content and accounted_for(record, keys, stored)


def extract_chunks(order: ExtractTrack, original: TrackRecord, context: Context, *, max_duration_s: float) -> None:
    """Extract the chunks of a file that the store lacks, one commit each; a chunk that fails is a record too."""
    from pipeline import chunks
    from pipeline.features.registry import family

    specs = {family(name).spec.key: family(name).spec for name in order.families}
    left = unsettled(order.chunk_s, original, frozenset(specs), context.store)
    if not left:
        return
    here = order.replace(path=local(order.path, context.settings.maps))
    try:
        for record, rows in chunks.extract_chunks(
            here, original, left, missing=frozenset(order.families), max_duration_s=max_duration_s, host=HOST
        ):
            named = record.replace(path=order.path)
            context.store.commit(named, rows, {key: specs[key] for key in rows})
    except PermanentError as error:
        reason = str(error).removeprefix(f"{printable(here.path)}: ")
        fail_chunks(order, original, context, Failure(kind=error.kind, reason=reason, host=HOST))
    except SURPRISES as error:
        reason = f"{type(error).__name__}: {error}"
        fail_chunks(order, original, context, Failure(kind="crashed", reason=reason, host=HOST))


def fail_chunks(order: ExtractTrack, original: TrackRecord, context: Context, failure: Failure) -> None:
    """Record a failure for every chunk of a file that is not settled."""
    from pipeline.features.registry import family

    keys = frozenset(family(name).spec.key for name in order.families)
    for chunk in unsettled(order.chunk_s, original, keys, context.store):
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
