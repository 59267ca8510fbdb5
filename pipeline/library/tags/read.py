"""Read the tags of a file: every kind of tag that is in it, in whatever format, without decoding."""

from collections.abc import Callable, Iterable
from typing import BinaryIO

from pipeline.library.tags.names import TagBlock
from pipeline.library.tags.tags import FIELDS, READER, Tags, field_of
from pipeline.library.tags.values import field_values

BLOCK = "block"
"""What `Tags.cut` has for a whole block of tags that was too long."""

_HEAD_BYTES = 64


def read_tags(path: str) -> Tags:
    """Return the tags of the file at a path; none where it has none or cannot be read."""
    return find_tags(path) or Tags()


def find_tags(path: str, fields: Iterable[str] = ()) -> Tags | None:
    """Return the tags of the file at a path, with further fields beside those of `Tags`; None if it cannot be read.

    Whatever is in the file, nothing is raised: a block that cannot be understood says nothing.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 -- paths with odd bytes, and a million of them
            found = _blocks(path, file)
    except OSError:
        return None
    wanted = dict.fromkeys([*FIELDS, *map(field_of, fields)])
    values: dict[str, tuple[str, ...]] = {}
    cut = [BLOCK] if any(block.too_long for block in found) else []
    for name in wanted:
        values[name], was_cut = field_values(found, name)
        cut += [name] if was_cut else []
    return Tags(
        **{name: values.pop(name) for name in FIELDS},
        extra=values,
        cut=tuple(cut),
        reader=READER,
    )


def _blocks(path: str, file: BinaryIO) -> list[TagBlock]:
    """Return an open file's blocks of tags in the order in which they count: its format's own, ID3, APEv2, ID3v1."""
    from pipeline.library.tags import ape, blocks, ends  # with mutagen

    frames, start = ends.read_front(file)
    file.seek(start)
    head = file.read(_HEAD_BYTES)
    read = blocks.reader_of(head)
    own = _attempt(lambda: read(file, start)) if read is not None else None
    at_end = _attempt(lambda: ends.read_end(file)) or _attempt(lambda: ape.read_front(file)) or ()
    found = [*(own or ()), *frames, *at_end]
    # There are tags that FFmpeg alone knows: QuickTime's, those of rare codecs in Ogg, and the texts of DSDIFF.
    is_known = _is_mpeg(head) or (own is not None and read not in {blocks.read_mp4, blocks.read_ogg, blocks.read_dsd})
    if not any(found) and not is_known:
        found += _attempt(lambda: _container(path)) or ()
    return found


def _attempt(read: Callable[[], list[TagBlock]]) -> list[TagBlock] | None:
    """Return blocks; None where they cannot be understood."""
    try:
        return read()
    except Exception:  # noqa: BLE001 -- the parsers raise anything over a malformed file
        return None


def _container(path: str) -> list[TagBlock]:
    from pipeline.library.tags.container_metadata import read_container  # with FFmpeg

    return read_container(path)


def _is_mpeg(head: bytes) -> bool:
    """Return whether a file begins with a frame of MPEG audio, or another format that FFmpeg has no names in."""
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return is_frame or head[:4] in {b"wvpk", b"MAC ", b"TTA1", b"tBaK", b"MPCK", b"OFR "} or head[:3] == b"MP+"
