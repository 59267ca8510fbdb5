"""Blocks of ID3: version 2 in any container, version 1 at a file's end."""

import io
from typing import Any, BinaryIO

from mutagen import id3

from pipeline.library.tags.names import TagBlock
from pipeline.library.tags.tags import fold_name
from pipeline.library.tags.texts import MOST_BYTES

HEADER_BYTES = 10
V1_BYTES = 128

# mutagen's own words on types are few and partly wrong.
_ID3: Any = id3.ID3
_parse_v1: Any = id3.ParseID3v1

_COMMENTS = frozenset({"", "comment", "description", "id3v1 comment", "c0"})
"""The descriptions of comments that people write; programs put numbers of theirs under others."""


def v2_bytes(header: bytes) -> int:
    """Return how long a block is of whose first or last 10 bytes are these, header and footer included; 0 for none."""
    if len(header) < HEADER_BYTES or header[:3] not in {b"ID3", b"3DI"} or max(header[6:10]) > 127:
        return 0
    size = sum(byte << shift for byte, shift in zip(header[6:10], (21, 14, 7, 0), strict=True))
    return size + HEADER_BYTES * (2 if header[5] & 0x10 else 1)


def read_v2(block: bytes) -> TagBlock:
    """Return the texts of a block of version 2.2, 2.3 or 2.4. Raises what mutagen does for one it cannot read."""
    return texts_of(_ID3(io.BytesIO(block), load_v1=False))


def read_v1(block: bytes) -> TagBlock:
    """Return the texts of the last 128 bytes of a file; nothing where they are no block of version 1."""
    return texts_of(_parse_v1(block) or {})


def footer_bytes(last: bytes) -> int:
    """Return how long a block of version 2 is whose footer these bytes end with; 0 for none."""
    footer = last[-HEADER_BYTES:]
    return v2_bytes(footer) if footer.startswith(b"3DI") else 0


def v1_bytes(last: bytes) -> int:
    """Return how long a block of version 1 is that these bytes end with; 0 for none."""
    return V1_BYTES if len(last) >= V1_BYTES and last.startswith(b"TAG", len(last) - V1_BYTES) else 0


def read_block(file: BinaryIO, begin: int, length: int) -> list[TagBlock]:
    """Return the texts of a block of version 2 in a file; nothing where it cannot be understood."""
    if length > MOST_BYTES:
        return [TagBlock(too_long=True)]
    if begin < 0:
        return []
    file.seek(begin)
    try:
        return [read_v2(file.read(length))]
    except Exception:  # noqa: BLE001 -- mutagen's parsers raise anything; the other blocks may say something
        return []


def texts_of(frames: Any) -> TagBlock:
    """Return the texts of frames, a mapping as mutagen has it."""
    codes: dict[str, list[str]] = {}
    words: dict[str, list[str]] = {}
    for frame in frames.values():
        description = getattr(frame, "desc", "")
        texts = [str(text) for text in getattr(frame, "text", ()) or ()]
        if isinstance(frame, id3.TXXX):
            words.setdefault(fold_name(description), []).extend(texts)
        elif isinstance(frame, id3.COMM):
            if description.lower() in _COMMENTS:
                # One without a description is the comment; the others are where there is none.
                at = 0 if not description else len(codes.get("comm", ()))
                codes.setdefault("comm", [])[at:at] = texts
        elif isinstance(frame, id3.TextFrame):
            codes.setdefault(frame.FrameID.lower(), []).extend(texts)
    return TagBlock(codes=codes, words=words)
