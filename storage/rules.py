"""The decisions that every store takes alike, as pure functions of values."""

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
    """The state that a record gives its track; within one sequence the greater one counts. Stored: never renumber."""

    FAILED = 0
    EXTRACTED = 1
    RETRY = 2
    DELETED = 3


_MARKS: dict[Mark, State] = {"retry": State.RETRY, "deleted": State.DELETED}


class Rank(NamedTuple):
    """The order of a track's records: the one of the highest rank counts.

    The sequence decides, so a late redelivery undoes neither a newer extraction nor a newer scan that found the file
    gone. Within one sequence the state decides: a success is above a failure, and a mark above the record it was made
    of. The content hash breaks the remaining ties, so that all processes choose alike.
    """

    sequence: int
    state: State
    content_hash: str


def rank(record: TrackRecord) -> Rank:
    """Return the rank of a record among those of its track."""
    return Rank(record.sequence, state(record), record.content_hash)


def state(record: TrackRecord) -> State:
    """Return the state that a record gives its track."""
    if record.mark is not None:
        return _MARKS[record.mark]
    return State.EXTRACTED if record.failure is None else State.FAILED


def is_complete(record: TrackRecord, keys: frozenset[str], stored: frozenset[str]) -> bool:
    """Return whether each of some families of a record's content is stored or cannot be extracted from it."""
    # A file that could be decoded but is too short for one family may be long enough for another.
    undecodable = record.failure is not None and not record.family_failures
    return record.mark is None and (undecodable or keys <= stored | record.family_failures.keys())


def describes_content(record: TrackRecord) -> bool:
    """Return whether a record has what decoding its content would give: duration, rate, channels, impossible families.

    That of a deleted file has.
    """
    return record.failure is None and record.mark != "retry"


def deletion(record: TrackRecord, sequence: int) -> TrackRecord:
    """Return the mark of a track whose file was missing in the scan of a sequence; it keeps the record's fields."""
    return record.replace(sequence=sequence, mark="deleted")


def retry(record: TrackRecord) -> TrackRecord:
    """Return the mark that cancels a failure, so that the next run extracts the track again."""
    return TrackRecord(
        track_id=record.track_id,
        path=record.path,
        stamp=record.stamp,
        sequence=record.sequence,
        content_hash="",
        copy_of=record.copy_of,
        mark="retry",
        part=record.part,
    )


def check_commit(record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]) -> None:
    """Raise `UsageError` naming the track and the reason when values contradict each other."""
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


def missing_rows_error(family_key: str, missing: Sequence[str]) -> StoreError:
    """Return the error for contents that have no rows of a family."""
    some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return StoreError(f"family {family_key}: nothing stored for content {some}; extract these files again")


def _check_family(where: str, key: str, rows: FeatureRows, spec: FeatureSpec | None) -> None:
    """Raise `UsageError` for rows that have another key, shape or type than their spec."""
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
