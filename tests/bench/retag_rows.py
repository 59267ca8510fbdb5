"""What the rows of the `retag` table do with one file."""

from pathlib import Path

MAX_S = 24 * 3600.0


def all_bytes(path, _families):
    from pipeline.audio.hashing import content_hash

    return lambda: content_hash(path)


def both(path, _families):
    from pipeline.audio.identity import file_digests

    return lambda: file_digests(path)


def extraction(path, families):
    from pipeline.extraction.extract import extract
    from pipeline.library.tracks import ExtractTrack, FileStamp, track_id

    order = ExtractTrack(
        run_id="bench", shard=0, track_id=track_id(path), path=path, stamp=FileStamp.of(Path(path).stat()), sequence=1,
        families=tuple(families),
    )  # fmt: skip
    return lambda: extract(order, path=path, missing=frozenset(families), max_duration_s=MAX_S)
