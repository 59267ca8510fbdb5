"""Blocks of tags before and behind the sound of a file, whatever its format: ID3 versions 1 and 2, and APEv2."""

from typing import BinaryIO

from pipeline.library.tags import ape, id3
from pipeline.library.tags.names import TagBlock

_MOST_BLOCKS = 8
_LYRICS_END_BYTES = 15
"""The length of Lyrics3 in six digits and its mark."""


def read_front(file: BinaryIO) -> tuple[list[TagBlock], int]:
    """Return the blocks of ID3 at the begin of a file, and at which byte the rest of it begins."""
    frames: list[TagBlock] = []
    start = 0
    for _ in range(_MOST_BLOCKS):
        file.seek(start)
        header = file.read(id3.HEADER_BYTES)
        length = id3.v2_bytes(header) if header.startswith(b"ID3") else 0
        if not length:
            break
        frames += id3.read_block(file, start, length)
        start += length
    return frames, start


def read_end(file: BinaryIO) -> list[TagBlock]:
    """Return the blocks at the end of a file in the order in which they count: ID3 version 2, APEv2, ID3 version 1.

    They stand one before the other in any order.
    """
    frames: list[TagBlock] = []
    items: list[TagBlock] = []
    old: list[TagBlock] = []
    end = file.seek(0, 2)
    for _ in range(_MOST_BLOCKS):
        file.seek(max(0, end - id3.V1_BYTES))
        last = file.read(end - file.tell())
        if (length := id3.v1_bytes(last)) > 0:
            old.append(id3.read_v1(last))
        elif (length := id3.footer_bytes(last)) > 0:
            frames += id3.read_block(file, end - length, length)
        elif (length := ape.footer_bytes(last)) > 0:
            items += ape.read_block(file, end - length, length)
        elif (length := _lyrics_bytes(last)) == 0:
            break
        if length > end:
            break
        end -= length
    return [*frames, *items, *old]


def _lyrics_bytes(last: bytes) -> int:
    """Return how long the block of Lyrics3 is that ends so; 0 for none."""
    end = last[-_LYRICS_END_BYTES:]
    return int(end[:6]) + _LYRICS_END_BYTES if end.endswith(b"LYRICS200") and end[:6].isdigit() else 0
