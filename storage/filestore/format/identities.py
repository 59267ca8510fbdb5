"""The identity of files and sounds, beside the records in a file: columns of their own, which older chordals pass over.

So a home can be read by both: files written before have no such columns, and their records have no digests.
"""

from collections.abc import Callable, Iterable

import h5py
import numpy as np

from pipeline.library.tracks import FileStamp, TrackRecord
from storage.filestore.format.codec import crc
from storage.filestore.format.hdf5 import DamagedError, int_attribute, read, write, write_attribute
from storage.ids import hex_ids, pack

IDENTITY = np.dtype(
    [
        ("file_hash", "S16"),
        ("sound_hash", "S16"),
        ("flags", "u1"),
        ("ctime_ns", "<i8"),
        ("inode", "<u8"),
        ("crc32", "<u4"),
    ]
)
"""A row: `flags` are the sum of those below; the CRC-32 is of the track's id and of all before it."""

HAS_FILE_HASH, HAS_SOUND_HASH, RETAGGED = 1, 2, 4

ALIAS = np.dtype([("sound_hash", "S16"), ("content_hash", "S16")])
"""A sound whose features lie under another content's name."""

FIELDS = frozenset({"file_hash", "sound_hash", "retagged"})
"""The fields of a record that are stored here."""

_NAME = "identities"
_ALIASES = "aliases"
_SUM = "identities_crc32"
_INODES = 1 << 64
_FACTS_BYTES = IDENTITY.itemsize - 4

Identities = np.ndarray


def identity_of(record: TrackRecord) -> Identities:
    """Return the identity of one record, (1,), dtype `IDENTITY`."""
    row = np.zeros(1, IDENTITY)
    row["file_hash"], row["sound_hash"] = pack(record.file_hash), pack(record.sound_hash)
    row["flags"] = (
        HAS_FILE_HASH * bool(record.file_hash) + HAS_SOUND_HASH * bool(record.sound_hash) + RETAGGED * record.retagged
    )
    row["ctime_ns"], row["inode"] = record.stamp.ctime_ns, record.stamp.inode % _INODES
    row["crc32"] = _crc(pack(record.track_id), row[0])
    return row


def with_identity(records: Iterable[TrackRecord], rows: Identities) -> Iterable[TrackRecord]:
    """Yield records with their identities, of the same order."""
    if not rows["flags"].any() and not rows["ctime_ns"].any():
        yield from records  # written by an older chordal
        return
    file_hashes, sound_hashes = (hex_ids(rows[name]) for name in ("file_hash", "sound_hash"))
    numbers = zip(*(rows[name].tolist() for name in ("flags", "ctime_ns", "inode")), strict=True)
    for at, (record, (flags, ctime_ns, inode)) in enumerate(zip(records, numbers, strict=True)):
        stamp = record.stamp
        yield record.replace(
            stamp=FileStamp(size_bytes=stamp.size_bytes, mtime_ns=stamp.mtime_ns, ctime_ns=ctime_ns, inode=inode),
            file_hash=file_hashes[at] if flags & HAS_FILE_HASH else "",
            sound_hash=sound_hashes[at] if flags & HAS_SOUND_HASH else "",
            retagged=bool(flags & RETAGGED),
        )


def check_identity(track_id: bytes, row: np.void) -> None:
    """Raise `DamagedError` unless the identity of a track passes its CRC-32."""
    if _crc(track_id, row) != int(row["crc32"]):
        raise DamagedError(f"the identity of track {bytes(track_id).ljust(16, bytes(1)).hex()} fails its CRC-32")


def _crc(track_id: bytes, row: np.void) -> int:
    return crc(np.frombuffer(bytes(track_id).ljust(16, b"\0") + row.tobytes()[:_FACTS_BYTES], "u1"))


def read_identities(tracks: h5py.Group, rows: np.ndarray) -> tuple[Identities, bool]:
    """Return the identities of the records in a group, and whether their checksum is right."""
    if _NAME.encode() not in tracks.id:
        return unknown(rows), True
    stored = read(tracks, _NAME, IDENTITY)
    if len(stored) != len(rows):
        raise DamagedError(f"it holds {len(stored)} identities of {len(rows)} records")
    return stored, int_attribute(tracks, _SUM, -1) == crc(stored)


def unknown(rows: np.ndarray) -> Identities:
    """Return what is known of records that were written without identities: nothing."""
    nothing = np.zeros(len(rows), IDENTITY)
    zeros = nothing[:1].tobytes()[:_FACTS_BYTES]
    nothing["crc32"] = [
        crc(np.frombuffer(bytes(track_id).ljust(16, b"\0") + zeros, "u1")) for track_id in rows["track_id"]
    ]
    return nothing


def write_identities(tracks: h5py.Group, rows: np.ndarray, identities: Identities) -> None:
    """Write the identities of records into their group, and the aliases among them."""
    write(tracks, _NAME, identities, apart=len(rows) > 1)
    write_attribute(tracks, _SUM, np.uint32(crc(identities)))
    if count := int(np.count_nonzero(_is_alias(rows, identities))):
        write_attribute(tracks, _ALIASES, count)


def read_aliases(tracks: h5py.Group, read_rows: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the aliases among the records in a group, (n,), dtype `ALIAS`, by sound; cheap where there is none."""
    if not int_attribute(tracks, _ALIASES, 0):
        return np.zeros(0, ALIAS)
    rows = read_rows()
    identities, is_intact = read_identities(tracks, rows)
    if not is_intact:
        raise DamagedError("the identities fail their CRC-32")
    chosen = _is_alias(rows, identities)
    aliases = np.zeros(int(np.count_nonzero(chosen)), ALIAS)
    aliases["sound_hash"], aliases["content_hash"] = identities["sound_hash"][chosen], rows["content_hash"][chosen]
    return np.sort(aliases, order="sound_hash")


def _is_alias(rows: np.ndarray, identities: Identities) -> np.ndarray:
    has_both = (identities["flags"] & HAS_SOUND_HASH).astype(bool) & rows["has_content"].astype(bool)
    chosen: np.ndarray = has_both & (identities["sound_hash"] != rows["content_hash"])
    return chosen
