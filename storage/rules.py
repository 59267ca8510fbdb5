"""The decisions every store takes the same way, on plain values."""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from pipeline.errors import StoreError, UsageError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import Mark, TrackRecord
from pipeline.text import printable

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


class State(IntEnum):
    """What a record says of its track; within one sequence the greater one counts. Stored: never renumber."""

    FAILED = 0
    EXTRACTED = 1
    RETRY = 2
    DELETED = 3


_MARKS: dict[Mark, State] = {"retry": State.RETRY, "deleted": State.DELETED}


class Rank(NamedTuple):
    """Which of two records of one track counts: the greater one.

    The sequence decides, so a late redelivery undoes neither a newer extraction nor a newer scan that found the file
    gone. Within one sequence the state decides: a success beats a failure, and a mark what it was put on. Otherwise
    the content hash only serves to let everybody choose alike.
    """

    sequence: int
    state: State
    content_hash: str


def rank(record: TrackRecord) -> Rank:
    """Return the rank of a record among those of its track."""
    return Rank(record.sequence, state(record), record.content_hash)


def state(record: TrackRecord) -> State:
    """Return what a record says of its track."""
    if record.mark is not None:
        return _MARKS[record.mark]
    return State.EXTRACTED if record.failure is None else State.FAILED


def accounted_for(record: TrackRecord, keys: frozenset[str], stored: frozenset[str]) -> bool:
    """Return whether every family of a record's content is stored or known to be impossible."""
    # A file that could be decoded but is too short for one family may be long enough for another.
    undecodable = record.failure is not None and not record.family_failures
    return record.mark is None and (undecodable or keys <= stored | record.family_failures.keys())


def describes(record: TrackRecord) -> bool:
    """Return whether a record tells what decoding its content tells; that of a deleted file does."""
    return record.failure is None and record.mark != "retry"


def deletion(record: TrackRecord, sequence: int) -> TrackRecord:
    """Return the mark of a track whose file the scan of a sequence found gone; it keeps what was known of the file."""
    return record.replace(sequence=sequence, mark="deleted")


def retry(record: TrackRecord) -> TrackRecord:
    """Return the mark that takes a failure back, so that the next run extracts the track again."""
    return TrackRecord(
        track_id=record.track_id,
        path=record.path,
        stamp=record.stamp,
        sequence=record.sequence,
        content_hash="",
        copy_of=record.copy_of,
        mark="retry",
    )


def check_commit(record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]) -> None:
    """Refuse values that contradict each other, before anything is written.

    Raises `UsageError` naming the track and what is wrong.
    """
    where = f"track {printable(record.path)}"
    if not _HEX_ID.fullmatch(record.track_id):
        raise UsageError(f"{where}: the track id {record.track_id!r} is not 32 lower-case hex digits")
    if record.content_hash and not _HEX_ID.fullmatch(record.content_hash):
        raise UsageError(f"{where}: the content hash {record.content_hash!r} is not 32 lower-case hex digits")
    if not 0 <= record.sequence < 2**63:
        raise UsageError(f"{where}: the sequence {record.sequence} is not between 0 and 2**63")
    if features and not (record.extracted and record.content_hash):
        raise UsageError(f"{where}: a record that failed, is a mark or has no content hash cannot bring features")
    for key, rows in features.items():
        _check_family(f"{where}, family {key}", key, rows, specs.get(key))


def missing_rows(family_key: str, missing: Sequence[str]) -> StoreError:
    """Return the error for rows that were asked for and are not stored."""
    shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return StoreError(f"family {family_key}: nothing stored for content {shown}; extract these files again")


def _check_family(where: str, key: str, rows: FeatureRows, spec: FeatureSpec | None) -> None:
    """Refuse rows that are not what their spec says."""
    if spec is None or spec.key != key or not _KEY.fullmatch(key):
        raise UsageError(f"{where}: there is no spec of that key; hand over the spec that computed the rows")
    n = len(rows.channel)
    if rows.values.shape != (n, *spec.row_shape):
        raise UsageError(f"{where}: the values have shape {rows.values.shape}, the spec says {(n, *spec.row_shape)}")
    if rows.start_s.shape != (n,) or rows.channel.shape != (n,):
        raise UsageError(f"{where}: start_s {rows.start_s.shape} and channel {rows.channel.shape} are not both ({n},)")
    types = (rows.values.dtype.name, rows.start_s.dtype.name, rows.channel.dtype.name)
    if types != ("float32", "float32", "int8"):
        raise UsageError(f"{where}: the arrays are {', '.join(types)}, not float32, float32, int8")
