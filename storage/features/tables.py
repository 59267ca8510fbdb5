"""Rows as Arrow tables: a column per number, with its unit in the field's metadata. Imports pyarrow when called."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Int64
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.versions import software_versions
from storage.features.rows import TAG_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

    from storage.features.rows import Track, TrackRows

TRACK_COLUMNS = ("path", "track_id", "label", "group", "fold")
"""The columns of a table that come from a row's track."""

LAST_COLUMNS = (*TAG_COLUMNS, "note")
"""Those that come from it too and stand behind all others, where no script counts columns."""

_TABLE_COLUMNS = {*TRACK_COLUMNS, "start_s", "channel"}

_TABLE_ROWS = 1 << 16


def column_names(spec: FeatureSpec, *, flat: bool = False) -> list[str]:
    """Return the columns of a family's rows in a table.

    Rows that are matrices have one column of lists, named like the family; with `flat` a column for every number,
    `column[position]`. A name that the table's own columns have gets the family's name as a prefix.
    """
    if len(spec.row_shape) == 1:
        names = list(spec.columns)
    elif flat:
        names = [
            column + "".join(f"[{at}]" for at in position)
            for position in np.ndindex(spec.row_shape[:-1])
            for column in spec.columns
        ]
    else:
        names = [spec.name]
    return [f"{spec.name}_{name}" if name in _TABLE_COLUMNS else name for name in names]


def last_columns(spec: FeatureSpec) -> list[str]:
    """Return the names of `LAST_COLUMNS` in a table; one that a column of the family has gets `tag_` in front."""
    taken = {*column_names(spec), *column_names(spec, flat=True)}
    return [f"tag_{name}" if name in taken else name for name in LAST_COLUMNS]


def units_of(spec: FeatureSpec, *, flat: bool = False) -> list[str]:
    """Return the unit of each of `column_names`; of one column of lists, those of its innermost entries."""
    if len(spec.row_shape) == 1:
        return list(spec.units)
    if flat:
        return list(spec.units) * int(np.prod(spec.row_shape[:-1]))
    return [", ".join(dict.fromkeys(spec.units))]


def schema_of(spec: FeatureSpec) -> "pa.Schema":
    """Return the Arrow schema of a family's rows."""
    import pyarrow as pa

    word = pa.dictionary(pa.int32(), pa.string())
    fields = [pa.field(name, word) for name in TRACK_COLUMNS]
    fields += [pa.field("start_s", pa.float32(), metadata={"unit": "s"}), pa.field("channel", pa.int8())]
    kind = pa.float32()
    for length in reversed(spec.row_shape if len(spec.row_shape) > 1 else ()):
        kind = pa.list_(kind, length)
    fields += [
        pa.field(name, kind, metadata={"unit": unit})
        for name, unit in zip(column_names(spec), units_of(spec), strict=True)
    ]
    fields += [pa.field(name, word) for name in last_columns(spec)]
    return pa.schema(fields, metadata={"chordal": json.dumps(description(spec), sort_keys=True)})


def description(spec: FeatureSpec) -> dict[str, object]:
    """Return the metadata of a file of exported rows: the family's spec and key, and the software that wrote it."""
    return {"family": spec.to_wire(), "key": spec.key, "software": software_versions()}


def record_batch(
    schema: "pa.Schema", spec: FeatureSpec, rows: FeatureRows, tracks: "Sequence[Track]", track: Int64
) -> "pa.RecordBatch":
    """Return rows as an Arrow record batch; `track` (rows,) is each row's track as a position in `tracks`."""
    import pyarrow as pa

    at = pa.array(track.astype(np.int32))

    def column(name: str) -> "pa.Array":
        return pa.array(_words(tracks, name), pa.string()).dictionary_encode().take(at)

    columns = [column(name) for name in TRACK_COLUMNS]
    columns += [pa.array(np.ascontiguousarray(rows.start_s)), pa.array(np.ascontiguousarray(rows.channel))]
    if len(spec.row_shape) == 1:
        columns += [pa.array(np.ascontiguousarray(rows.values[:, number])) for number in range(spec.row_shape[0])]
    else:
        nested = pa.array(np.ascontiguousarray(rows.values).reshape(-1))
        for length in reversed(spec.row_shape):
            nested = pa.FixedSizeListArray.from_arrays(nested, length)
        columns.append(nested)
    columns += [column(name) for name in LAST_COLUMNS]
    return pa.record_batch(columns, schema=schema)


def table_of(rows: "TrackRows") -> "pa.Table":
    """Return rows as an Arrow table."""
    import pyarrow as pa

    schema = schema_of(rows.spec)
    return pa.Table.from_batches(_batches(schema, rows), schema).unify_dictionaries()


def _batches(schema: "pa.Schema", rows: "TrackRows") -> "Iterator[pa.RecordBatch]":
    for begin in range(0, len(rows), _TABLE_ROWS):
        part = slice(begin, begin + _TABLE_ROWS)
        some = FeatureRows(values=rows.values[part], start_s=rows.start_s[part], channel=rows.channel[part])
        first, last = int(rows.track[part][0]), int(rows.track[part][-1])
        yield record_batch(schema, rows.spec, some, rows.tracks[first : last + 1], rows.track[part] - first)


def _words(tracks: "Sequence[Track]", name: str) -> list[str | None]:
    return [track.word(name) for track in tracks]
