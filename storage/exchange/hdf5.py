"""HDF5: rows as arrays, tracks as columns, columns and units in attributes."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.text import printable
from storage.exchange.blocks import Block, Source
from storage.features.tables import LAST_COLUMNS, TRACK_COLUMNS, description

_CHUNK_BYTES = 256 << 10

_WORDS = (*TRACK_COLUMNS, *LAST_COLUMNS)

_NUMBERS = {"duration_s": "<f8", "sample_rate_hz": "<i8", "channels": "<i8"}
"""The numbers of a track that are written, and their types."""


class Hdf5File:
    """`values`, `start_s`, `channel` and `track` (a position in the columns of `tracks/`), an entry each per row."""

    def __init__(self, path: Path, source: Source) -> None:
        spec = source.spec
        self._file = h5py.File(path, "x")
        self._file.attrs["chordal"] = json.dumps(description(spec), sort_keys=True)
        self._rows = 0
        chunk = max(1, _CHUNK_BYTES // max(1, 4 * int(np.prod(spec.row_shape))))
        columns = (
            ("values", "<f4", spec.row_shape, chunk),
            ("start_s", "<f4", (), 1 << 16),
            ("channel", "i1", (), 1 << 16),
            ("track", "<i8", (), 1 << 15),
        )
        self._columns: dict[str, Any] = {}
        for name, kind, shape, size in columns:
            chunks = (min(size, source.rows), *shape) if source.rows else None
            self._columns[name] = self._file.create_dataset(name, (source.rows, *shape), kind, chunks=chunks)
        self._columns["values"].attrs["columns"] = list(spec.columns)
        self._columns["values"].attrs["units"] = list(spec.units)
        self._columns["start_s"].attrs["units"] = "s"
        self._tracks = 0
        group = self._file.create_group("tracks")
        kinds: dict[str, Any] = {name: h5py.string_dtype() for name in _WORDS} | _NUMBERS
        self._track_columns = {
            name: group.create_dataset(
                name, (source.tracks,), kind, chunks=(min(4096, source.tracks),) if source.tracks else None
            )
            for name, kind in kinds.items()
        }
        self._track_columns["duration_s"].attrs["units"] = "s"
        self._track_columns["sample_rate_hz"].attrs["units"] = "Hz"

    def add(self, block: Block) -> None:
        """Write the next rows."""
        into = slice(self._rows, self._rows + len(block.rows))
        for name in ("values", "start_s", "channel"):
            self._columns[name][into] = getattr(block.rows, name)
        self._columns["track"][into] = block.track + block.first
        self._rows = into.stop
        new = block.tracks[max(0, self._tracks - block.first) :]
        if not new:
            return
        for name, column in self._track_columns.items():
            values = [getattr(track, name) for track in new]
            if name in _WORDS:
                values = [printable(word or "") for word in values]
            column[self._tracks : self._tracks + len(new)] = values
        self._tracks += len(new)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
