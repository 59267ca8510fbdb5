"""The sound that an order names: a whole file's, or that of a track in the file of its album."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from pipeline.audio.decode import AudioReader, open_audio
from pipeline.audio.identity import FileDigests, file_digests
from pipeline.audio.parts import PartReader, open_part
from pipeline.library.tracks import ExtractTrack


def digests_of(order: ExtractTrack, path: str) -> FileDigests:
    """Return the digests of an order's sound, of a track in an album those of its range.

    `path` is where its file is on this host. Raises as `file_digests` does.
    """
    if order.part is None:
        return file_digests(path)
    album = _digests_of_album(path)
    return FileDigests(
        file_hash=order.part.content_key(album.file_hash),
        sound_hash=order.part.content_key(album.sound_hash) if album.sound_hash else "",
    )


@contextmanager
def open_sound(order: ExtractTrack, path: str, *, max_duration_s: float) -> Iterator[AudioReader | PartReader]:
    """Open an order's sound for reading block by block; raises as `open_audio` does."""
    if order.part is None:
        with open_audio(path, max_duration_s=max_duration_s) as reader:
            yield reader
        return
    start_s, end_s = order.part.start_s, order.part.end_s
    with open_part(path, start_s=start_s, end_s=end_s, max_duration_s=max_duration_s) as part:
        yield part


def _digests_of_album(path: str) -> FileDigests:
    """Return the digests of an album's file, read once for all its tracks while it stays what it is."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - keeps odd bytes
    except OSError:
        return file_digests(path)  # raises the error by its name
    return _digests_as_of(path, facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


@lru_cache(maxsize=8)
def _digests_as_of(path: str, *_facts: int) -> FileDigests:
    return file_digests(path)
