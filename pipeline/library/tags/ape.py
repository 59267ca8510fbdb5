"""Blocks of APEv2 and APEv1.

mutagen refuses a whole block for one item with a text that is not UTF-8 or an odd name; here, that item alone is.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.library.tags.names import TagBlock
from pipeline.library.tags.texts import MOST_BYTES, plain_text

_MARK = b"APETAGEX"
_HEADER_BYTES = 32
_VERSION_2 = 2000
_HAS_HEADER = 1 << 31
_KIND_BITS = 0b110
_LONGEST_NAME = 255


def footer_bytes(last: bytes) -> int:
    """Return how long a block is whose footer these bytes end with, its header included; 0 for none."""
    footer = last[-_HEADER_BYTES:]
    if len(footer) < _HEADER_BYTES or not footer.startswith(_MARK):
        return 0
    version, length, flags = (int.from_bytes(footer[at : at + 4], "little") for at in (8, 12, 20))
    # Version 1 has neither headers nor flags.
    return max(length, _HEADER_BYTES) + (_HEADER_BYTES if version >= _VERSION_2 and flags & _HAS_HEADER else 0)


def read_front(file: BinaryIO) -> list[TagBlock]:
    """Return the texts of a block at the begin of a file; none where there is none."""
    file.seek(0)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_MARK):
        return []
    return read_block(file, 0, struct.unpack_from("<I", header, 12)[0] + _HEADER_BYTES)


def read_block(file: BinaryIO, begin: int, length: int) -> list[TagBlock]:
    """Return the texts of the block that begins at a byte."""
    if length > MOST_BYTES:
        return [TagBlock(too_long=True)]
    if begin < 0:
        return []
    file.seek(begin)
    return [TagBlock.of_words(_texts(file.read(length)))]


def _texts(block: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and text of the items that are texts; several values in one have NUL between them."""
    at = _HEADER_BYTES
    if block[-_HEADER_BYTES:].startswith(_MARK):  # whose length is right, also where the header is not there
        at = max(0, len(block) - int.from_bytes(block[-20:-16], "little"))
    while at + 8 < len(block) and not block.startswith(_MARK, at):
        length, flags = struct.unpack_from("<II", block, at)
        end_of_name = block.find(b"\0", at + 8, at + 9 + _LONGEST_NAME)
        if end_of_name < 0:
            return
        at, name = end_of_name + 1 + length, block[at + 8 : end_of_name]
        if name.isascii() and not flags & _KIND_BITS:
            yield name.decode("ascii"), plain_text(block[end_of_name + 1 : at])
