"""The record of a file that an order names, and the failure in it."""

from pipeline.errors import FailureKind, PermanentError
from pipeline.library.tracks import ExtractTrack, Failure, FileStamp, TrackRecord
from pipeline.text import printable

UNKNOWN = TrackRecord(track_id="", path="", stamp=FileStamp(size_bytes=0, mtime_ns=0), sequence=0, content_hash="")
"""Of a sound that nothing is known of."""


def record_for(order: ExtractTrack, sound: TrackRecord = UNKNOWN) -> TrackRecord:
    """Return what a record says of a sound, as the record of the file that an order names."""
    return sound.replace(
        track_id=order.track_id,
        path=order.path,
        stamp=order.stamp,
        sequence=order.sequence,
        mark=None,
        part=order.part,
    )


def failure_of(error: Exception, path: str, host: str) -> Failure:
    """Return an error over the file at a path as a failure; whatever is no `PermanentError` is a crash.

    The reason is without the path: the record has it, as the host that scanned the file names it.
    """
    kind: FailureKind = "crashed"
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, PermanentError):
        kind, reason = error.kind, str(error).removeprefix(f"{printable(path)}: ")
    return Failure(kind=kind, reason=reason, host=host)
