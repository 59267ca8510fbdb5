"""The records of tracks in a file: rows of fixed width, and texts that are stored end to end."""

import itertools
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, get_type_hints

import h5py
import msgspec
import numpy as np

from pipeline.arrays import Int64
from pipeline.library.tracks import FileStamp, TrackRecord
from storage.filestore.format import identities
from storage.filestore.format.codec import crc, offsets
from storage.filestore.format.hdf5 import DamagedError, group, int_attribute, make_group, read, write, write_attribute
from storage.ids import hex_ids, pack, unpack
from storage.rules import Rank, State, state

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
"""The fields of a record that have a fixed width."""

_NUMBERS = ("sequence", "size_bytes", "mtime_ns", "duration_s", "sample_rate_hz", "channels")

_NOT_IN_JSON = {"path", "stamp", *identities.FIELDS, *(ROW.names or ())}
"""The fields of a record that are stored elsewhere than in its JSON."""

_DEFAULTS = TrackRecord(
    track_id="", path="", stamp=FileStamp(size_bytes=0, mtime_ns=0), sequence=0, content_hash=""
).to_wire()
"""A record's fields with their defaults; only those that differ are stored as JSON."""

_MORE = tuple(name for name in TrackRecord.__struct_fields__ if name not in _NOT_IN_JSON)
"""The fields of a record that are stored as JSON."""

_decode_more = msgspec.json.Decoder(
    msgspec.defstruct(
        "More",
        [
            (name, kind | msgspec.UnsetType, msgspec.UNSET)
            for name, kind in get_type_hints(TrackRecord).items()
            if name in _MORE
        ],
        forbid_unknown_fields=True,
    )
).decode
"""Decodes them at once: through dicts, as `from_wire` takes them, it would take five times as long."""

STORED_ROW = np.dtype([("record", ROW), ("path_end", "<i8"), ("more_end", "<i8"), ("crc32", "<u4")])
"""A stored row: the record, the offsets at which its texts `path` and `more` end, and the CRC-32 of all three."""

_BYTE = np.dtype("u1")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTable:
    """A table of n records.

    `rows` (n,) of dtype `ROW`; per record `path`, the bytes of its path, which need not be UTF-8; `more`, its other
    fields as JSON, empty when all have their defaults; and `crc32`, of the three. `identities` (n,) have CRC-32 of
    their own.
    """

    rows: np.ndarray[tuple[int], np.dtype[np.void]]
    path: list[bytes]
    more: list[bytes]
    crc32: list[int]
    identities: identities.Identities
    intact: bool = False
    """Whether the checksums of the whole table were right, so that no record needs to be checked."""

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
        rest = {name: value for name, value in wire.items() if name not in _NOT_IN_JSON and value != _DEFAULTS[name]}
        more = json.dumps(rest, separators=(",", ":")).encode("ascii") if rest else b""
        return cls(
            rows=row,
            path=[path],
            more=[more],
            crc32=[_record_crc(row[0], path, more)],
            identities=identities.identity_of(record),
        )

    @classmethod
    def concatenate(cls, tables: Sequence["RecordTable"]) -> "RecordTable":
        """Return one table of the records of several, in their order."""
        return RecordTable(
            rows=np.concatenate([table.rows for table in tables]),
            path=[text for table in tables for text in table.path],
            more=[text for table in tables for text in table.more],
            crc32=[crc32 for table in tables for crc32 in table.crc32],
            identities=np.concatenate([table.identities for table in tables]),
        )

    @classmethod
    def read(cls, file: h5py.File) -> "RecordTable":
        """Return the table of a file; unless it is `intact`, records are checked one by one when they are decoded."""
        tracks = group(file, "tracks")
        stored = read(tracks, "rows", STORED_ROW)
        path, more = read(tracks, "path", _BYTE), read(tracks, "more", _BYTE)
        identity, is_intact = identities.read_identities(tracks, stored["record"])
        sums = {"index_crc32": crc(stored), "texts_crc32": crc(path, more)}
        return RecordTable(
            rows=stored["record"],
            path=_split(path.tobytes(), stored["path_end"]),
            more=_split(more.tobytes(), stored["more_end"]),
            crc32=stored["crc32"].tolist(),
            identities=identity,
            intact=is_intact and all(int_attribute(tracks, name, -1) == crc32 for name, crc32 in sums.items()),
        )

    def write(self, file: h5py.File) -> None:
        """Write the table into a file."""
        tracks = make_group(file, "tracks")
        stored = np.zeros(len(self), STORED_ROW)
        stored["record"], stored["crc32"] = self.rows, self.crc32
        for name, texts in (("path", self.path), ("more", self.more)):
            write(tracks, name, np.frombuffer(b"".join(texts), dtype=_BYTE), apart=len(self) > 1)
            stored[f"{name}_end"] = offsets([len(text) for text in texts])[1:]
        write(tracks, "rows", stored, apart=len(self) > 1)
        write_attribute(tracks, "index_crc32", np.uint32(crc(stored)))
        identities.write_identities(tracks, self.rows, self.identities)

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, at: Sequence[int]) -> "RecordTable":
        """Return the table of the rows at some positions."""
        return RecordTable(
            rows=self.rows[list(at)],
            path=[self.path[i] for i in at],
            more=[self.more[i] for i in at],
            crc32=[self.crc32[i] for i in at],
            identities=self.identities[list(at)],
            intact=self.intact,
        )

    def track_id(self, at: int) -> str:
        """Return the track id of a row."""
        return unpack(self.rows[at]["track_id"])

    def rank(self, at: int) -> Rank:
        """Return the rank of a row."""
        return rank_of(self.rows[at])

    def check(self, at: int) -> None:
        """Raise `DamagedError` naming the track unless a row passes its CRC-32."""
        if self.intact:
            return
        if _record_crc(self.rows[at], self.path[at], self.more[at]) != self.crc32[at]:
            raise DamagedError(f"the record of track {unpack(self.rows[at]['track_id'])} fails its CRC-32")
        identities.check_identity(self.rows[at]["track_id"], self.identities[at])

    def record(self, at: int) -> TrackRecord:
        """Return a row as a record. Raises `DamagedError` naming the track when it fails its CRC-32."""
        return next(self.select([at]).records())

    def records(self) -> Iterator[TrackRecord]:
        """Yield all rows as records. Raises `DamagedError` naming the track of one that fails its CRC-32."""
        yield from identities.with_identity(self._plain_records(), self.identities)

    def _plain_records(self) -> Iterator[TrackRecord]:
        """Yield all rows as records without their identities."""
        rows = self.rows
        track_ids, content_hashes = (hex_ids(rows[name]) for name in ("track_id", "content_hash"))
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
            yield _with_more(record, more) if more else record


def _with_more(record: TrackRecord, more: bytes) -> TrackRecord:
    """Return a record with its fields that are JSON. Raises `UsageError` for one that is unknown or wrong."""
    try:
        found = _decode_more(more)
    except (msgspec.DecodeError, UnicodeDecodeError):  # half a surrogate pair in a text, or a field nobody knows
        return TrackRecord.from_wire(record.to_wire() | json.loads(more))
    return record.replace(**{name: value for name in _MORE if (value := getattr(found, name)) is not msgspec.UNSET})


def read_rows(file: h5py.File) -> np.ndarray:
    """Return the records of a file without their texts, (n,), dtype `ROW`. Raises `DamagedError`."""
    tracks = group(file, "tracks")
    stored = read(tracks, "rows", STORED_ROW)
    if crc(stored) != int_attribute(tracks, "index_crc32"):
        raise DamagedError("the index of the records fails its CRC-32")
    rows: np.ndarray = stored["record"]
    return rows


def read_aliases(file: h5py.File) -> np.ndarray:
    """Return the sounds of a file's records that lie under another content's name, dtype `identities.ALIAS`."""
    tracks = group(file, "tracks")
    return identities.read_aliases(tracks, lambda: read_rows(file))


def rank_of(row: np.void) -> Rank:
    """Return the rank of a structure that has the fields `sequence`, `state`, `content_hash` and `has_content`."""
    content_hash = unpack(row["content_hash"]) if row["has_content"] else ""
    return Rank(int(row["sequence"]), State(row["state"]), content_hash)


def _record_crc(row: np.void, path: bytes, more: bytes) -> int:
    return zlib.crc32(more, zlib.crc32(path + b"\0", zlib.crc32(row.tobytes())))


def _split(texts: bytes, ends: Int64) -> list[bytes]:
    return [texts[begin:end] for begin, end in itertools.pairwise([0, *ends.tolist()])]
