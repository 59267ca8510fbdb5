"""The decisions every store takes the same way, on plain values."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.errors import StoreError, UsageError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.tracks import TrackRecord, printable

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


class Rank(NamedTuple):
    """Which of two records of one track counts: the greater one.

    The sequence decides; within one sequence a success beats a failure, and otherwise the content hash only serves
    to let everybody choose alike.
    """

    sequence: int
    succeeded: bool
    content_hash: str


def rank(record: TrackRecord) -> Rank:
    """Return the rank of a record among those of its track."""
    return Rank(record.sequence, record.failure is None, record.content_hash)


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
    if features and (record.failure is not None or not record.content_hash):
        raise UsageError(f"{where}: a record that failed or has no content hash cannot bring features")
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
