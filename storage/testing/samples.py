"""Small records, specs and rows that differ by a number."""

import hashlib
from collections.abc import Mapping

import numpy as np

from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tags.tags import READER, Tags
from pipeline.library.tracks import Failure, FileStamp, TrackRecord, track_id
from pipeline.plans.album_part import AlbumPart


def spec(name: str = "tones", *, row_shape: tuple[int, ...] = (3,)) -> FeatureSpec:
    """Return the spec of a made-up family."""
    return FeatureSpec(
        name=name,
        version=1,
        title=f"Made-up family {name}",
        columns=tuple(f"c{column}" for column in range(row_shape[-1])),
        units=("dB",) * row_shape[-1],
        row_shape=row_shape,
        parameters={"hop_s": 0.5, "window": "hann", "exact": True},
    )


TONES = spec("tones")
SPECTRA = spec("spectra", row_shape=(4, 2))
SPECS: Mapping[str, FeatureSpec] = {family.key: family for family in (TONES, SPECTRA)}
"""Two families, by key: rows of 3 numbers, and rows of 4 x 2."""


def content(number: int) -> str:
    """Return the content hash of made-up file number `number`."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def rows(family: FeatureSpec, number: int, *, n: int = 5) -> FeatureRows:
    """Return `n` rows of a family for a content; the same number gives the same rows."""
    random = np.random.default_rng([number, len(family.name)])
    return FeatureRows(
        values=random.normal(size=(n, *family.row_shape)).astype(np.float32),
        start_s=(np.arange(n) / 2).astype(np.float32),
        channel=np.full(n, -1, np.int8),
    )


def features(number: int, *, n: int = 5) -> dict[str, FeatureRows]:
    """Return the rows of both families for a content."""
    return {key: rows(family, number, n=n) for key, family in SPECS.items()}


def record(path: str, number: int | None, *, sequence: int = 1, failure: Failure | None = None) -> TrackRecord:
    """Return the record of the track at `path` with content `number`; without one, of a file that was not read."""
    return TrackRecord(
        track_id=track_id(path),
        path=path,
        stamp=FileStamp(
            size_bytes=1000 + sequence,
            mtime_ns=1_700_000_000_123_456_789 + sequence,
            ctime_ns=1_700_000_001_123_456_789 + sequence,
            inode=2**64 - 1 - sequence,
        ),
        sequence=sequence,
        content_hash="" if number is None else content(number),
        duration_s=12.5,
        sample_rate_hz=44_100,
        channels=2,
        failure=failure,
        note="a note" if sequence % 2 else "",
        tags=Tags(title=(f"Song {number}",), genre=("Jazz", "Rock"), reader=READER) if sequence % 2 else None,
    )


def full_record(path: str) -> TrackRecord:
    """Return a record in which no field has its default, whatever fields a record has by now."""
    full = record(path, 1).replace(
        failure=Failure(kind="crashed", reason="the process died", attempts=3, host="studio"),
        family_failures={SPECTRA.key: Failure(kind="too_short", reason="0.1 s", attempts=2)},
        reused=True,
        copy_of=content(2),
        mark="deleted",
        file_hash=content(3),
        sound_hash=content(4),
        retagged=True,
        declared_s=12.5,
        part=AlbumPart(number=3, start_s=1.25, end_s=None),
        tags=Tags(title=("\u05e8\u05d5\u05e7",), extra={"style": ("Cool",)}, cut=("genre",), reader=READER),
    )
    plain = TrackRecord(
        track_id="", path="", stamp=FileStamp(size_bytes=0, mtime_ns=0), sequence=0, content_hash=""
    ).to_wire()
    defaults = [name for name, value in full.to_wire().items() if value == plain[name]]
    if defaults:
        raise AssertionError(
            f"give {', '.join(defaults)} a value in this function, so that every store is tested to keep it"
        )
    return full


def same_rows(one: FeatureRows, other: FeatureRows) -> bool:
    """Return whether two rows are equal bit for bit."""
    pairs = ((one.values, other.values), (one.start_s, other.start_s), (one.channel, other.channel))
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)
