"""Read the tags of a file: every kind of tag that is in it, in whatever format, without decoding."""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from pipeline.library.tags.names import TagBlock
from pipeline.library.tags.tags import FIELDS, READER, Tags, field_of
from pipeline.library.tags.values import field_values

BLOCK = "block"
"""What `Tags.cut` has for a whole block of tags that was too long."""

_HEAD_BYTES = 64
_TAIL_BYTES = 512
_MOST_FRAME_BLOCKS = 8


def read_tags(path: str) -> Tags:
    """Return the tags of the file at a path; none where it has none or cannot be read."""
    return find_tags(path) or Tags()


def find_tags(path: str, fields: Iterable[str] = ()) -> Tags | None:
    """Return the tags of the file at a path, with further fields beside those of `Tags`; None if it cannot be read.

    Whatever is in the file, nothing is raised: a block that cannot be understood says nothing.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 -- paths with odd bytes, and a million of them
            found = _Blocks(path, file)
    except OSError:
        return None
    wanted = dict.fromkeys([*FIELDS, *map(field_of, fields)])
    values: dict[str, tuple[str, ...]] = {}
    cut = [BLOCK] if found.too_long else []
    for name in wanted:
        values[name], was_cut = field_values(found.blocks, name)
        cut += [name] if was_cut else []
    return Tags(
        **{name: values.pop(name) for name in FIELDS},
        extra=values,
        cut=tuple(cut),
        reader=READER,
    )


class _Blocks:
    """The blocks of tags of an open file, in the order in which they count: its format's own, ID3, APEv2, ID3v1."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        from pipeline.library.tags import blocks  # with mutagen

        self._file = file
        frames, start = self._frames_in_front()
        file.seek(start)
        head = file.read(_HEAD_BYTES)
        read = blocks.reader_of(head)
        own = _attempt(lambda: read(file, start)) if read is not None else None
        found = [*(own or ()), *frames, *self._at_end(head)]
        # In MP4 and Ogg there are tags that FFmpeg alone knows: QuickTime's, and those of rare codecs.
        is_known = _is_mpeg(head) or (own is not None and read not in {blocks.read_mp4, blocks.read_ogg})
        if not any(found) and not is_known:
            found += _attempt(lambda: _container(path)) or ()
        self.blocks = [block for block in found if block]
        self.too_long = any(block.too_long for block in found)

    def _frames_in_front(self) -> tuple[list[TagBlock], int]:
        """Return the blocks of ID3 before the sound, and where that begins."""
        from pipeline.library.tags import id3
        from pipeline.library.tags.chunks import MOST_BYTES

        frames: list[TagBlock] = []
        start = 0
        for _ in range(_MOST_FRAME_BLOCKS):
            self._file.seek(start)
            header = self._file.read(id3.HEADER_BYTES)
            length = id3.v2_bytes(header) if header.startswith(b"ID3") else 0
            if not length:
                break
            if length > MOST_BYTES:
                frames.append(TagBlock(too_long=True))
            else:
                self._file.seek(start)
                block = self._file.read(length)
                frames += _attempt(lambda block=block: [id3.read_v2(block)]) or ()  # type: ignore[misc]
            start += length
        return frames, start

    def _at_end(self, head: bytes) -> Iterator[TagBlock]:
        """Yield the blocks at the end of the file: ID3v2 with a footer, APEv2, ID3v1."""
        from pipeline.library.tags import blocks, id3

        size = self._file.seek(0, 2)
        self._file.seek(max(0, size - _TAIL_BYTES))
        tail = self._file.read()
        if b"3DI" in tail:
            yield from _attempt(lambda: [id3.read_v2(id3.frames_at_end(self._file, size))]) or ()
        if b"APETAGEX" in tail or b"LYRICS" in tail or head.startswith(b"APETAGEX"):
            yield from _attempt(lambda: blocks.read_ape(self._file)) or ()
        v1 = tail[-id3.V1_BYTES :]
        if v1.startswith(b"TAG"):
            yield from _attempt(lambda: [id3.read_v1(v1)]) or ()


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
