"""Blocks of tags in files of chunks: RIFF, RF64 and BW64 (WAV), and FORM (AIFF, AIFC, 8SVX)."""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from pipeline.library.tags.id3 import read_block
from pipeline.library.tags.names import TagBlock
from pipeline.library.tags.texts import MOST_BYTES, plain_text

_LITTLE, _BIG = b"RIFF", frozenset({b"RIFX", b"FORM"})
_LARGE = frozenset({b"RF64", b"BW64"})

_TEXT_CHUNKS = frozenset({b"NAME", b"AUTH", b"ANNO", b"(c) "})
"""The chunks of AIFF and 8SVX that are a text."""

_MOST_CHUNKS = 4096
"""How many chunks are looked at: sound without a length in its header looks like many small ones."""


def is_chunked(head: bytes) -> bool:
    """Return whether a file that begins so is one of chunks whose tags are read here."""
    if head[:4] == b"FORM":
        return head[8:12] in {b"AIFF", b"AIFC", b"8SVX", b"16SV"}
    return head[:4] in {_LITTLE, b"RIFX", *_LARGE} and head[8:12] == b"WAVE"


def read_chunks(file: BinaryIO, start: int) -> list[TagBlock]:
    """Return the blocks of the chunks that begin at byte `start`, those of ID3 first."""
    size = file.seek(0, 2)
    file.seek(start)
    head = file.read(12)
    order = ">" if head[:4] in _BIG else "<"
    frames: list[TagBlock] = []
    texts: dict[str, list[str]] = {}
    for name, begin, length in islice(_chunks(file, order, start + 12, size), _MOST_CHUNKS):
        if name.upper() not in {b"ID3 ", b"LIST", *_TEXT_CHUNKS}:
            continue
        if name.upper() == b"ID3 ":
            frames += read_block(file, begin, length)
            continue
        if length > MOST_BYTES:
            frames.append(TagBlock(too_long=True))
            continue
        file.seek(begin)
        content = file.read(length)
        if name.upper() == b"LIST":
            _add_info(content, order, texts)
        elif head[:4] == b"FORM":
            texts.setdefault(name.decode("ascii").strip().lower(), []).append(plain_text(content))
    return [*frames, TagBlock(codes=texts)]


def _chunks(file: BinaryIO, order: str, at: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin and length of each chunk; lengths are cut at the end of the file."""
    large: dict[bytes, int] = {}
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64":
            large[b"data"] = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))[1]
        if length == 0xFFFFFFFF:  # said elsewhere, or by a program that could not go back
            length = large.get(name, size)
        begin = at + 8
        length = min(length, size - begin)
        yield name, begin, length
        at = begin + length + _padding(file, begin + length, length)


def _padding(file: BinaryIO, end: int, length: int) -> int:
    """Return how many bytes fill a chunk up to an even length; some programs leave that out."""
    if length % 2 == 0:
        return 0
    file.seek(end)
    first = file.read(1)
    return 0 if first.isalnum() or first == b"(" else 1


def _add_info(content: bytes, order: str, texts: dict[str, list[str]]) -> None:
    """Add the texts of a LIST chunk of type INFO, by their codes."""
    if content[:4] != b"INFO":
        return
    at = 4
    while at + 8 <= len(content):
        name, length = struct.unpack_from(f"{order}4sI", content, at)
        end = at + 8 + length
        code = name.decode("latin-1").strip("\0 ").lower()
        texts.setdefault(code, []).append(plain_text(content[at + 8 : end]))
        at = end + (length % 2 and not content[end : end + 1].isalnum())
