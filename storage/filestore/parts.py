"""Writing parts: the records, or the rows of one family, of up to some thousand tracks in one file."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.text import printable
from storage import durable
from storage.filestore.format import trailer
from storage.filestore.format.deferred_error_file import DeferredErrorFile
from storage.filestore.format.families import ARRAYS, family_group, rows_crc, write_index, write_spec
from storage.filestore.format.hdf5 import LIBVER, write_header
from storage.filestore.format.records import RecordTable
from storage.filestore.index import TRACKS
from storage.filestore.layout import SCHEMA, Layout, PartEntry
from storage.filestore.schema import tracks_part_bytes

_CHUNK_BYTES = 256 << 10
"""Chunk size. Uncompressed chunks can be read row by row, so a large one costs nothing and keeps HDF5's index small."""

_ROWS_PER_CHUNK = 8192
"""Least chunk length of arrays with a few bytes per row: writing a chunk of 100 bytes takes as long as one of 1 MB."""

_BUFFER_BYTES = 8 << 20
"""About how many bytes of values are buffered before they are written."""


class PartsWriter:
    """Writes the parts of one merge; no reader uses them until a manifest names them."""

    def __init__(self, layout: Layout, *, part_entries: int) -> None:
        self._layout = layout
        self._part_entries = part_entries
        self._tables: list[RecordTable] = []
        self._records = 0
        self._open: dict[str, _FamilyPart] = {}
        self._written: list[tuple[Path, PartEntry]] = []

    def add_records(self, table: RecordTable) -> None:
        """Add a table of records, of at most `part_entries`."""
        if self._records + len(table) > self._part_entries:
            self._close_tracks()
        self._tables.append(table)
        self._records += len(table)

    def add_rows(self, spec: FeatureSpec, content_hash: str, rows: FeatureRows) -> None:
        """Add the rows of one family of one content. Raises `StoreError` when they cannot be written."""
        part = self._open.get(spec.key)
        if part is None:
            path = durable.temporary_path(self._layout.tmp, ".h5")
            with _write_errors(path):
                part = self._open[spec.key] = _FamilyPart(path, spec)
        with _write_errors(part.path):
            part.add(content_hash, rows)
        if len(part.contents) >= self._part_entries:
            self._close_family(spec.key)

    def finish(self) -> list[PartEntry]:
        """Give the parts their final names, durably, and return their manifest entries. Raises `StoreError`."""
        self._close_tracks()
        for key in list(self._open):
            self._close_family(key)
        for position, (path, entry) in enumerate(self._written):
            target = self._layout.parts / entry.name
            with durable.store_errors(target, "be written"):
                path.replace(target)
            self._written[position] = (target, entry)
        if self._written:
            with durable.store_errors(self._layout.parts, "be written"):
                durable.sync_path(self._layout.parts)
        return [entry for _, entry in self._written]

    def discard(self) -> None:
        """Remove all files that were written; for a merge that failed or was published second."""
        for part in self._open.values():
            part.abandon()
        self._open.clear()
        for path, _ in self._written:
            path.unlink(missing_ok=True)
        self._written.clear()

    def _close_tracks(self) -> None:
        if not self._tables:
            return
        table = RecordTable.concatenate(self._tables)
        self._tables.clear()
        self._records = 0
        path = durable.temporary_path(self._layout.tmp, ".h5")
        with durable.store_errors(path, "be written"):
            durable.write_whole(path, *tracks_part_bytes(table))
        self._add_entry(path, TRACKS, len(table))

    def _close_family(self, key: str) -> None:
        part = self._open[key]
        with _write_errors(part.path):
            part.close()
            trailer.append(part.path)
            durable.sync_path(part.path)
        del self._open[key]
        self._add_entry(part.path, key, len(part.contents))

    def _add_entry(self, path: Path, kind: str, entries: int) -> None:
        entry = PartEntry(name=f"{kind}-{path.name}", kind=kind, entries=entries, size_bytes=path.stat().st_size)
        self._written.append((path, entry))


class _FamilyPart:
    """A part of one family that is being written."""

    def __init__(self, path: Path, spec: FeatureSpec) -> None:
        self.path = path
        self.contents: list[str] = []
        self._lengths: list[int] = []
        self._crcs: list[int] = []
        self._raw = DeferredErrorFile(path)
        self._file = h5py.File(self._raw, "w", libver=LIBVER, rdcc_nbytes=0)
        write_header(self._file, schema=SCHEMA)
        self._group = family_group(self._file, spec)
        write_spec(self._group, spec)
        row_bytes = ARRAYS["values"].itemsize * math.prod(spec.row_shape)
        chunk = max(1, _CHUNK_BYTES // max(row_bytes, 1))
        # A whole number of chunks, so that each is written once; one buffer for all, as new memory is slower.
        capacity = chunk * max(1, _BUFFER_BYTES // (chunk * max(row_bytes, 1)))
        self._buffer = {}
        self._buffered = 0
        for name, dtype in ARRAYS.items():
            shape = spec.row_shape if name == "values" else ()
            self._buffer[name] = np.empty((capacity, *shape), dtype)
            self._group.create_dataset(
                name,
                shape=(0, *shape),
                maxshape=(None, *shape),
                chunks=(chunk if name == "values" else max(chunk, _ROWS_PER_CHUNK), *shape),
                dtype=dtype,
            )

    def add(self, content_hash: str, rows: FeatureRows) -> None:
        self.contents.append(content_hash)
        self._lengths.append(len(rows))
        self._crcs.append(rows_crc(content_hash, rows))
        done = 0
        while done < len(rows):
            more = min(len(rows) - done, len(self._buffer["values"]) - self._buffered)
            for name, buffer in self._buffer.items():
                buffer[self._buffered : self._buffered + more] = getattr(rows, name)[done : done + more]
            self._buffered += more
            done += more
            if self._buffered == len(self._buffer["values"]):
                self._flush()

    def close(self) -> None:
        self._flush()
        write_index(self._group, self.contents, self._lengths, self._crcs)
        self._file.close()
        self._raw.close()
        self._raw.check()

    def abandon(self) -> None:
        with suppress(OSError, RuntimeError, ValueError):  # the file is removed anyhow
            self._file.close()
        self._raw.close()
        self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        for name, buffer in self._buffer.items():
            dataset = self._group[name]
            begin = len(dataset)
            dataset.resize(begin + self._buffered, axis=0)
            dataset[begin:] = buffer[: self._buffered]
        self._buffered = 0
        self._raw.check()


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """Turn the errors of writing a file by h5py into `StoreError`."""
    try:
        with durable.store_errors(path, "be written"):
            yield
    except (RuntimeError, ValueError) as error:  # h5py also raises these when HDF5 could not write
        raise StoreError(f"{printable(str(path))}: cannot be written ({' '.join(str(error).split())})") from error
