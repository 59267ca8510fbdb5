"""What lies inside segments and parts, which share one schema.

    /                   attributes: format, schema, software
    /tracks             rows (records,) of what has a fixed width; path and more, texts that lie end to end
    /features/<key>     values (n, *row_shape) float32, start_s (n,) float32, channel (n,) int8 of all contents end to
                        end; indptr (contents + 1,) int64 tells where each begins; contents (contents,) whose they are;
                        attribute spec (JSON), in parts spelled out too

Every record and the rows of every content carry a CRC-32 that is checked whenever they are read.
"""

import itertools
import json
import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import h5py
import numpy as np

from pipeline.arrays import Int64
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.tracks import FileStamp, TrackRecord
from storage.filestore.hdf5 import LIBVER, DamagedError, mark, put
from storage.filestore.layout import SCHEMA
from storage.rules import Rank

Ids = np.ndarray[tuple[int], np.dtype[np.bytes_]]
"""Ids of 16 bytes each, dtype S16."""

ROW = np.dtype(
    [
        ("track_id", "S16"),
        ("content_hash", "S16"),
        ("has_content", "u1"),
        ("sequence", "<i8"),
        ("succeeded", "u1"),
        ("size_bytes", "<i8"),
        ("mtime_ns", "<i8"),
        ("duration_s", "<f8"),
        ("sample_rate_hz", "<i8"),
        ("channels", "<i8"),
    ]
)
"""What a record has of fixed width."""

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


def pack(hex_id: str) -> bytes:
    """Return the 16 bytes of an id of 32 hex digits; zeros for an empty one."""
    return bytes.fromhex(hex_id) if hex_id else bytes(16)


def unpack(packed: bytes) -> str:
    """Return the 32 hex digits of an id."""
    # NumPy drops the trailing zero bytes of fixed-length bytes.
    return bytes(packed).ljust(16, b"\0").hex()


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

    @classmethod
    def of(cls, record: TrackRecord) -> Self:
        """Return the table of one record."""
        row = np.zeros(1, ROW)
        row["track_id"], row["content_hash"] = pack(record.track_id), pack(record.content_hash)
        row["has_content"], row["succeeded"] = bool(record.content_hash), record.failure is None
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
        group = file["tracks"]
        stored = group["rows"][:]
        return Tracks(
            rows=stored["record"],
            path=_split(group["path"][:].tobytes(), stored["path_end"]),
            more=_split(group["more"][:].tobytes(), stored["more_end"]),
            crc32=stored["crc32"].tolist(),
        )

    def write(self, file: h5py.File) -> None:
        """Write the records into a file."""
        group = file.create_group("tracks")
        stored = np.zeros(len(self), STORED_ROW)
        stored["record"], stored["crc32"] = self.rows, self.crc32
        for name, texts in (("path", self.path), ("more", self.more)):
            group[name] = np.frombuffer(b"".join(texts), dtype="u1")
            stored[f"{name}_end"] = index([len(text) for text in texts])[1:]
        group["rows"] = stored
        group.attrs["index_crc32"] = np.uint32(_crc(stored))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, at: Sequence[int]) -> "Tracks":
        """Return some rows of the table."""
        return Tracks(
            rows=self.rows[list(at)],
            path=[self.path[i] for i in at],
            more=[self.more[i] for i in at],
            crc32=[self.crc32[i] for i in at],
        )

    def track_id(self, at: int) -> str:
        """Return the track id of a row."""
        return unpack(self.rows[at]["track_id"])

    def rank(self, at: int) -> Rank:
        """Return the rank of a row."""
        row = self.rows[at]
        known = unpack(row["content_hash"]) if row["has_content"] else ""
        return Rank(int(row["sequence"]), bool(row["succeeded"]), known)

    def check(self, at: int) -> None:
        """Raise `DamagedError` naming the track unless a row is what was written."""
        if _record_crc(self.rows[at], self.path[at], self.more[at]) != self.crc32[at]:
            raise DamagedError(f"the record of track {unpack(self.rows[at]['track_id'])} fails its CRC-32")

    def record(self, at: int) -> TrackRecord:
        """Return a row as a record. Raises `DamagedError` naming the track when it is not what was written."""
        self.check(at)
        row = self.rows[at]
        wire: dict[str, Any] = {
            "track_id": unpack(row["track_id"]),
            "path": os.fsdecode(self.path[at]),
            "stamp": {name: int(row[name]) for name in ("size_bytes", "mtime_ns")},
            "sequence": int(row["sequence"]),
            "content_hash": self.rank(at).content_hash,
            "duration_s": float(row["duration_s"]),
            "sample_rate_hz": int(row["sample_rate_hz"]),
            "channels": int(row["channels"]),
        }
        return TrackRecord.from_wire(wire | (json.loads(self.more[at]) if self.more[at] else {}))


class FamilyTable:
    """The rows of one family in an open file: which contents it has, and their rows on demand."""

    def __init__(self, file: h5py.File, key: str) -> None:
        self.key = key
        self._group = file["features"][key]
        self._indptr: Int64 = self._group["indptr"][:]
        contents = read_contents(file, key)
        self._crc32 = contents["crc32"]
        self.contents: list[str] = [unpack(packed) for packed in contents["content_hash"]]

    def __len__(self) -> int:
        return len(self.contents)

    def rows_of(self, contents: Sequence[str], *, first: int = 0) -> list[FeatureRows]:
        """Return the rows of contents that follow each other from position `first`, read in one go and checked.

        Raises `DamagedError` naming content and family when they are not what was written.
        """
        last = first + len(contents) - 1
        if list(contents) != self.contents[first : last + 1]:
            raise DamagedError(f"family {self.key} of content {contents[0]} is not where it should be")
        begin, end = int(self._indptr[first]), int(self._indptr[last + 1])
        values, start_s, channel = (self._group[name][begin:end] for name in ("values", "start_s", "channel"))
        found = []
        for at in range(first, last + 1):
            part = slice(int(self._indptr[at]) - begin, int(self._indptr[at + 1]) - begin)
            rows = FeatureRows(values=values[part], start_s=start_s[part], channel=channel[part])
            if rows_crc(self.contents[at], rows) != self._crc32[at]:
                raise DamagedError(f"family {self.key} of content {self.contents[at]} fails its CRC-32")
            found.append(rows)
        return found

    def size_bytes(self, at: int) -> int:
        """Return how large the values of a content are."""
        values = self._group["values"]
        row_bytes: int = math.prod(values.shape[1:]) * values.dtype.itemsize
        return int(self._indptr[at + 1] - self._indptr[at]) * row_bytes


def read_contents(file: h5py.File, key: str) -> np.ndarray:
    """Return whose rows of a family a file holds, dtype `CONTENT`. Raises `DamagedError`."""
    group = file["features"][key]
    contents: np.ndarray = group["contents"][:]
    if _crc(contents, group["indptr"][:]) != group.attrs["index_crc32"]:
        raise DamagedError(f"the index of family {key} fails its CRC-32")
    return contents


def read_rows(file: h5py.File) -> np.ndarray:
    """Return the records of a file without their texts, dtype `ROW`. Raises `DamagedError`."""
    stored = file["tracks"]["rows"][:]
    if _crc(stored) != file["tracks"].attrs["index_crc32"]:
        raise DamagedError("the index of the records fails its CRC-32")
    rows: np.ndarray = stored["record"]
    return rows


def segment(record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]) -> bytes:
    """Return the bytes of a segment."""

    def fill(file: h5py.File) -> None:
        Tracks.of(record).write(file)
        for key, rows in features.items():
            group = family_group(file, specs[key])
            for name, array in (("values", rows.values), ("start_s", rows.start_s), ("channel", rows.channel)):
                group[name] = array
            write_index(group, [record.content_hash], [len(rows)], [rows_crc(record.content_hash, rows)])

    return file_image(fill)


def file_image(fill: Callable[[h5py.File], None]) -> bytes:
    """Return the bytes of a small file.

    It is built in memory, so that a full disk meets a plain write: HDF5 cannot close a file that it cannot flush.
    """
    buffer = BytesIO()
    with h5py.File(buffer, "w", libver=LIBVER) as file:
        mark(file, schema=SCHEMA)
        fill(file)
    return buffer.getvalue()


def family_group(file: h5py.File, spec: FeatureSpec) -> h5py.Group:
    """Create the group of a family."""
    group = file.create_group(f"features/{spec.key}")
    put(group, "spec", json.dumps(spec.to_wire(), sort_keys=True))
    return group


def describe(group: h5py.Group, spec: FeatureSpec) -> None:
    """Spell a family's spec out, for people who open a part with other tools."""
    put(group, "name", spec.name)
    put(group, "title", spec.title)
    put(group, "version", spec.version)
    put(group, "fingerprint", spec.fingerprint)
    put(group, "columns", spec.columns)
    put(group, "units", spec.units)
    put(group, "row_shape", spec.row_shape)
    put(group, "parameters", json.dumps(spec.parameters, sort_keys=True))


def write_index(group: h5py.Group, contents: Sequence[str], lengths: Sequence[int], crcs: Sequence[int]) -> None:
    """Write which contents a family's rows belong to."""
    indptr = index(lengths)
    whose = np.zeros(len(contents), CONTENT)
    whose["content_hash"], whose["crc32"] = ids(contents), crcs
    group["indptr"], group["contents"] = indptr, whose
    group.attrs["index_crc32"] = np.uint32(_crc(whose, indptr))


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


def _split(texts: bytes, ends: Int64) -> list[bytes]:
    return [texts[begin:end] for begin, end in itertools.pairwise([0, *ends.tolist()])]
