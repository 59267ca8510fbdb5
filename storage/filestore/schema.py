"""What lies inside segments and parts, which share one schema.

    /                   attributes: format, schema, software
    /tracks             rows (records,) of what has a fixed width; path and more, texts that lie end to end;
                        attributes index_crc32 of the rows and, in parts, texts_crc32 of path and more
    /features/<key>     values (n, *row_shape) float32, start_s (n,) float32, channel (n,) int8 of all contents end to
                        end; indptr (contents + 1,) int64 tells where each begins; contents (contents,) whose they are;
                        attributes index_crc32 of contents and indptr, spec (JSON), in parts spelled out too

Every record and the rows of every content carry a CRC-32 that is checked whenever they are read.
"""

import itertools
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import h5py
import msgspec
import numpy as np

from pipeline.arrays import Int64
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.tracks import FileStamp, TrackRecord
from storage.filestore.hdf5 import DamagedError, Stored, file_image, group, make_group, mark, number, put, read, write
from storage.filestore.image import Image
from storage.filestore.layout import SCHEMA
from storage.rules import Rank, State, state

Ids = np.ndarray[tuple[int], np.dtype[np.bytes_]]
"""Ids of 16 bytes each, dtype S16."""

ROW = np.dtype(
    [
        ("track_id", "S16"),
        ("content_hash", "S16"),
        ("has_content", "u1"),
        ("sequence", "<i8"),
        ("state", "u1"),
        ("size_bytes", "<i8"),
        ("mtime_ns", "<i8"),
        ("duration_s", "<f8"),
        ("sample_rate_hz", "<i8"),
        ("channels", "<i8"),
    ]
)
"""What a record has of fixed width."""

_NUMBERS = ("sequence", "size_bytes", "mtime_ns", "duration_s", "sample_rate_hz", "channels")

_OWN_PLACE = {"path", "stamp", *(ROW.names or ())}
"""The fields of a record that do not go into its JSON."""

_PLAIN = TrackRecord(
    track_id="", path="", stamp=FileStamp(size_bytes=0, mtime_ns=0), sequence=0, content_hash=""
).to_wire()
"""What a record that says nothing says; only what differs is stored as JSON."""

STORED_ROW = np.dtype([("record", ROW), ("path_end", "<i8"), ("more_end", "<i8"), ("crc32", "<u4")])
"""A row as it is stored: the record, where its texts end, and the CRC-32 of all three."""

CONTENT = np.dtype([("content_hash", "S16"), ("crc32", "<u4")])
"""Whose the rows of a family are, and their CRC-32."""

ARRAYS: Mapping[str, np.dtype[Any]] = {
    "values": np.dtype("<f4"),
    "start_s": np.dtype("<f4"),
    "channel": np.dtype("i1"),
}
"""What a family has per row."""

_RUN_BYTES = 8 << 20
"""The largest read; rows near each other in a part are read together up to this."""

_GAP_BYTES = 64 << 10
"""What is read along between two of them: less than asking HDF5 once more costs."""

INDPTR = np.dtype("<i8")
BYTE = np.dtype("u1")


def pack(hex_id: str) -> bytes:
    """Return the 16 bytes of an id of 32 hex digits; zeros for an empty one."""
    return bytes.fromhex(hex_id) if hex_id else bytes(16)


def unpack(packed: bytes) -> str:
    """Return the 32 hex digits of an id."""
    # NumPy drops the trailing zero bytes of fixed-length bytes.
    return bytes(packed).ljust(16, b"\0").hex()


def _hex(packed: Ids) -> list[str]:
    """Return the 32 hex digits of each of several ids."""
    digits = np.ascontiguousarray(packed).tobytes().hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]


def ids(hex_ids: Sequence[str]) -> Ids:
    """Return ids as an array, dtype S16."""
    return np.frombuffer(b"".join(map(pack, hex_ids)), dtype="S16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks:
    """The records of one file.

    `rows` (n,) of dtype `ROW`; per record `path`, its own bytes, which need not be UTF-8; `more`, its other
    fields as JSON, empty when there are none; and the CRC-32 of the three.
    """

    rows: np.ndarray[tuple[int], np.dtype[np.void]]
    path: list[bytes]
    more: list[bytes]
    crc32: list[int]
    intact: bool = False
    """Whether all of it is known to be what was written, so that no record needs to be checked."""

    @classmethod
    def of(cls, record: TrackRecord) -> Self:
        """Return the table of one record."""
        row = np.zeros(1, ROW)
        row["track_id"], row["content_hash"] = pack(record.track_id), pack(record.content_hash)
        row["has_content"], row["state"] = bool(record.content_hash), state(record)
        row["size_bytes"], row["mtime_ns"] = record.stamp.size_bytes, record.stamp.mtime_ns
        for name in ("sequence", "duration_s", "sample_rate_hz", "channels"):
            row[name] = getattr(record, name)
        path = os.fsencode(record.path)
        wire = record.to_wire()
        rest = {name: told for name, told in wire.items() if name not in _OWN_PLACE and told != _PLAIN[name]}
        more = json.dumps(rest, separators=(",", ":")).encode("ascii") if rest else b""
        return cls(rows=row, path=[path], more=[more], crc32=[_record_crc(row[0], path, more)])

    @classmethod
    def joined(cls, tables: Sequence["Tracks"]) -> "Tracks":
        """Return tables end to end."""
        return Tracks(
            rows=np.concatenate([table.rows for table in tables]),
            path=[text for table in tables for text in table.path],
            more=[text for table in tables for text in table.more],
            crc32=[crc for table in tables for crc in table.crc32],
        )

    @classmethod
    def read(cls, file: h5py.File) -> "Tracks":
        """Return the table of a file; records are checked when they are looked at."""
        tracks = group(file, "tracks")
        stored = read(tracks, "rows", STORED_ROW)
        path, more = read(tracks, "path", BYTE), read(tracks, "more", BYTE)
        sums = {"index_crc32": _crc(stored), "texts_crc32": _crc(path, more)}
        return Tracks(
            rows=stored["record"],
            path=_split(path.tobytes(), stored["path_end"]),
            more=_split(more.tobytes(), stored["more_end"]),
            crc32=stored["crc32"].tolist(),
            intact=all(number(tracks, name, -1) == told for name, told in sums.items()),
        )

    def write(self, file: h5py.File) -> None:
        """Write the records into a file."""
        tracks = make_group(file, "tracks")
        stored = np.zeros(len(self), STORED_ROW)
        stored["record"], stored["crc32"] = self.rows, self.crc32
        for name, texts in (("path", self.path), ("more", self.more)):
            write(tracks, name, np.frombuffer(b"".join(texts), dtype=BYTE), apart=len(self) > 1)
            stored[f"{name}_end"] = index([len(text) for text in texts])[1:]
        write(tracks, "rows", stored, apart=len(self) > 1)
        put(tracks, "index_crc32", np.uint32(_crc(stored)))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, at: Sequence[int]) -> "Tracks":
        """Return some rows of the table."""
        return Tracks(
            rows=self.rows[list(at)],
            path=[self.path[i] for i in at],
            more=[self.more[i] for i in at],
            crc32=[self.crc32[i] for i in at],
            intact=self.intact,
        )

    def track_id(self, at: int) -> str:
        """Return the track id of a row."""
        return unpack(self.rows[at]["track_id"])

    def rank(self, at: int) -> Rank:
        """Return the rank of a row."""
        row = self.rows[at]
        known = unpack(row["content_hash"]) if row["has_content"] else ""
        return Rank(int(row["sequence"]), State(row["state"]), known)

    def check(self, at: int) -> None:
        """Raise `DamagedError` naming the track unless a row is what was written."""
        if not self.intact and _record_crc(self.rows[at], self.path[at], self.more[at]) != self.crc32[at]:
            raise DamagedError(f"the record of track {unpack(self.rows[at]['track_id'])} fails its CRC-32")

    def record(self, at: int) -> TrackRecord:
        """Return a row as a record. Raises `DamagedError` naming the track when it is not what was written."""
        return next(self.take([at]).records())

    def records(self) -> Iterator[TrackRecord]:
        """Yield all rows as records. Raises `DamagedError` naming the track of one that is not what was written."""
        rows = self.rows
        track_ids, content_hashes = (_hex(rows[name]) for name in ("track_id", "content_hash"))
        has_content = rows["has_content"].tolist()
        numbers = zip(*(rows[name].tolist() for name in _NUMBERS), strict=True)
        for at, (sequence, size_bytes, mtime_ns, duration_s, sample_rate_hz, channels) in enumerate(numbers):
            self.check(at)
            record = TrackRecord(
                track_id=track_ids[at],
                path=os.fsdecode(self.path[at]),
                stamp=FileStamp(size_bytes=size_bytes, mtime_ns=mtime_ns),
                sequence=sequence,
                content_hash=content_hashes[at] if has_content[at] else "",
                duration_s=duration_s,
                sample_rate_hz=sample_rate_hz,
                channels=channels,
            )
            more = self.more[at]
            yield TrackRecord.from_wire(record.to_wire() | json.loads(more)) if more else record


class FamilyTable:
    """The rows of one family in an open file: which contents it has, and their rows on demand."""

    def __init__(self, file: h5py.File, key: str) -> None:
        self.key = key
        family = group(file, "features", key)
        index, self._indptr = _read_index(family, key)
        self._hashes, self._crc32 = index["content_hash"], index["crc32"]
        self._arrays = {name: Stored(family, name, dtype) for name, dtype in ARRAYS.items()}
        self._row_bytes = ARRAYS["values"].itemsize * math.prod(self._arrays["values"].shape[1:])

    def __len__(self) -> int:
        return len(self._hashes)

    @cached_property
    def contents(self) -> list[str]:
        """Whose the rows are, content by content."""
        return _hex(self._hashes)

    def rows_of(self, contents: Sequence[str], *, first: int = 0) -> list[FeatureRows]:
        """Return the rows of contents that follow each other from position `first`; raises like `rows_at`."""
        return self.rows_at(range(first, first + len(contents)), contents)

    def rows_at(self, positions: Sequence[int], contents: Sequence[str]) -> list[FeatureRows]:
        """Return the rows of contents at ascending positions, read in one go from the first to the last, and checked.

        Raises `DamagedError` naming content and family when they are not what was written.
        """
        first, last = positions[0], positions[-1]
        apart = last - first >= len(positions)
        begin, end = int(self._indptr[first]), int(self._indptr[last + 1])
        read_rows = [stored.read(begin, end) for stored in self._arrays.values()]
        found = []
        for at, content_hash in zip(positions, contents, strict=True):
            if pack(content_hash) != bytes(self._hashes[at]).ljust(16, b"\0"):
                raise DamagedError(f"family {self.key} of content {content_hash} is not where it should be")
            own = slice(int(self._indptr[at]) - begin, int(self._indptr[at + 1]) - begin)
            # What lies in between is not held in memory by those who asked for the rest.
            values, start_s, channel = (array[own].copy() if apart else array[own] for array in read_rows)
            rows = FeatureRows(values=values, start_s=start_s, channel=channel)
            if rows_crc(content_hash, rows) != self._crc32[at]:
                raise DamagedError(f"family {self.key} of content {content_hash} fails its CRC-32")
            found.append(rows)
        return found

    def each(self, positions: Iterable[int]) -> Iterator[tuple[str, FeatureRows]]:
        """Yield contents at ascending positions and their rows, read by the megabyte; raises like `rows_at`."""
        for run in self.runs(positions):
            contents = [self.contents[at] for at in run]
            yield from zip(contents, self.rows_at(run, contents), strict=True)

    def runs(self, positions: Iterable[int]) -> Iterator[list[int]]:
        """Part ascending positions into runs that fit in one read, together with what lies between them."""
        run: list[int] = []
        begin = end = 0
        for at in positions:
            first, past = int(self._indptr[at]) * self._row_bytes, int(self._indptr[at + 1]) * self._row_bytes
            if run and (first - end > _GAP_BYTES or past - begin > _RUN_BYTES):
                yield run
                run = []
            begin = begin if run else first
            run.append(at)
            end = past
        if run:
            yield run


def read_contents(file: h5py.File, key: str) -> np.ndarray:
    """Return whose rows of a family a file holds, dtype `CONTENT`. Raises `DamagedError`."""
    return _read_index(group(file, "features", key), key)[0]


def read_rows(file: h5py.File) -> np.ndarray:
    """Return the records of a file without their texts, dtype `ROW`. Raises `DamagedError`."""
    tracks = group(file, "tracks")
    stored = read(tracks, "rows", STORED_ROW)
    if _crc(stored) != number(tracks, "index_crc32"):
        raise DamagedError("the index of the records fails its CRC-32")
    rows: np.ndarray = stored["record"]
    return rows


def segment(
    record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]
) -> list[bytes | memoryview]:
    """Return the bytes of a segment, in pieces: the rows themselves are among them and are not copied."""

    def fill(file: h5py.File, image: Image) -> None:
        mark(file, schema=SCHEMA)
        Tracks.of(record).write(file)
        for key, rows in features.items():
            family = family_group(file, specs[key])
            for name, dtype in ARRAYS.items():
                write(family, name, getattr(rows, name).astype(dtype, copy=False), image=image)
            write_index(family, [record.content_hash], [len(rows)], [rows_crc(record.content_hash, rows)])

    return file_image(fill)


def tracks_part(table: Tracks) -> list[bytes | memoryview]:
    """Return the bytes of a part that holds records, in pieces."""

    def fill(file: h5py.File, _: Image) -> None:
        mark(file, schema=SCHEMA)
        table.write(file)
        # Of thousands of records, checking them one by one takes most of the time that reading them does.
        texts = zlib.crc32(b"".join([*table.path, *table.more]))
        put(group(file, "tracks"), "texts_crc32", np.uint32(texts))

    return file_image(fill)


def family_group(file: h5py.File, spec: FeatureSpec) -> h5py.Group:
    """Create the group of a family."""
    family = make_group(file, "features", spec.key)
    put(family, "spec", msgspec.json.encode(spec, order="deterministic").decode())
    return family


def describe(family: h5py.Group, spec: FeatureSpec) -> None:
    """Spell a family's spec out, for people who open a part with other tools."""
    put(family, "name", spec.name)
    put(family, "title", spec.title)
    put(family, "version", spec.version)
    put(family, "fingerprint", spec.fingerprint)
    put(family, "columns", spec.columns)
    put(family, "units", spec.units)
    put(family, "row_shape", spec.row_shape)
    put(family, "parameters", json.dumps(spec.parameters, sort_keys=True))


def write_index(family: h5py.Group, contents: Sequence[str], lengths: Sequence[int], crcs: Sequence[int]) -> None:
    """Write which contents a family's rows belong to."""
    indptr = index(lengths)
    whose = np.zeros(len(contents), CONTENT)
    whose["content_hash"], whose["crc32"] = ids(contents), crcs
    write(family, "indptr", indptr, apart=len(contents) > 1)
    write(family, "contents", whose, apart=len(contents) > 1)
    put(family, "index_crc32", np.uint32(_crc(whose, indptr)))


def index(lengths: Sequence[int]) -> Int64:
    """Return where each of several runs begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]).astype(np.int64)


def rows_crc(content_hash: str, rows: FeatureRows) -> int:
    """Return the CRC-32 that binds the rows of a family to their content."""
    return _crc(rows.values, rows.start_s, rows.channel, begin=zlib.crc32(pack(content_hash)))


def _crc(*arrays: np.ndarray, begin: int = 0) -> int:
    """Return the CRC-32 of the bytes of arrays."""
    crc = begin
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array).view("u1").data if array.size else b"", crc)
    return crc


def _record_crc(row: np.void, path: bytes, more: bytes) -> int:
    return zlib.crc32(more, zlib.crc32(path + b"\0", zlib.crc32(row.tobytes())))


def _read_index(family: h5py.Group, key: str) -> tuple[np.ndarray, Int64]:
    """Return a family's `contents` and `indptr`. Raises `DamagedError`."""
    contents, indptr = read(family, "contents", CONTENT), read(family, "indptr", INDPTR)
    if _crc(contents, indptr) != number(family, "index_crc32"):
        raise DamagedError(f"the index of family {key} fails its CRC-32")
    return contents, indptr


def _split(texts: bytes, ends: Int64) -> list[bytes]:
    return [texts[begin:end] for begin, end in itertools.pairwise([0, *ends.tolist()])]
