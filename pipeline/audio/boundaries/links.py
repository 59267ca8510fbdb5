"""Where another stream begins behind the first one of a file: chained Ogg streams, files joined end to end."""

import os
import re
import struct
from collections.abc import Iterable, Iterator

from pipeline.audio.boundaries.lengths import LengthFormat, length_format

# How far a decoder may have read ahead of what it made of the file.
READ_AHEAD_BYTES = 65_536

_CHUNK_BYTES = 1_048_576
# A damaged header may declare more than any file has.
_MAX_OFFSET = 2**62
# A page of Ogg that begins a stream, or one that does not: version 0, and the flags.
_OGG_PAGE = re.compile(rb"OggS\0([\0-\x07])", re.DOTALL)
# The marker and the header of STREAMINFO, of 34 bytes.
_FLAC_START = re.compile(rb"fLaC[\0\x80]\0\0\x22", re.DOTALL)
# A block of WavPack, version 4.
_WAVPACK_BLOCK = re.compile(rb"wvpk....[\x02-\x10]\x04", re.DOTALL)
# The header of Matroska and its first element, the version of EBML.
_EBML_START = re.compile(rb"\x1a\x45\xdf\xa3.{1,8}?\x42\x86\x81\x01", re.DOTALL)
_SIGN_BYTES = 16
# FLV's header and the zero before its first tag.
_FLV_START = re.compile(rb"FLV\x01[\1\4\5]\0\0\0\x09\0\0\0\0", re.DOTALL)
_WAVPACK_HEADER = struct.Struct("<4sI2xBBIIII")
_BLOCK_START_BYTES = 8


def starts_of_links(descriptor: int, *, begin: int = 0) -> list[int]:
    """Return at which bytes further streams begin behind the one at the start of an open file, or behind its ID3v2 tag.

    `begin` is a byte up to which there is none. Of Ogg, FLAC, WavPack, Matroska, MP4, FLV and what says how long it is
    (`length_format`); none of others.
    """
    first = id3_bytes(os.pread(descriptor, 10, 0))
    head = os.pread(descriptor, 32, first)
    links: Iterable[int] = ()
    if head.startswith(b"OggS"):
        links = _ogg_links(descriptor, max(begin, first), in_group=begin <= first)
    elif head.startswith(b"fLaC"):
        links = _sign_links(descriptor, max(begin, first + 1), _FLAC_START)
    elif head.startswith(b"FLV"):
        links = _sign_links(descriptor, first + 1, _FLV_START)
    elif head.startswith(b"wvpk"):
        links = _wavpack_links(descriptor, first)
    elif head.startswith(b"\x1a\x45\xdf\xa3"):
        links = _matroska_links(descriptor)
    elif head[4:8] == b"ftyp":
        links = _mp4_links(descriptor)
    elif form := length_format(head):
        links = _length_links(descriptor, first, form)
    return list(links)


def id3_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag that a file with these first bytes begins with; 0 without one."""
    if not head.startswith(b"ID3"):
        return 0
    # A tag's length has seven bits in each byte.
    return 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))


def _matches(descriptor: int, pattern: re.Pattern[bytes], begin: int) -> Iterator[tuple[int, re.Match[bytes]]]:
    """Yield where a sign stands in the file from a byte on, and the match."""
    at = begin
    while len(data := os.pread(descriptor, _CHUNK_BYTES + _SIGN_BYTES, at)) > 1:
        for match in pattern.finditer(data):
            if match.start() < _CHUNK_BYTES:  # else it is found again in the next piece
                yield at + match.start(), match
        at += _CHUNK_BYTES


def _ogg_links(descriptor: int, begin: int, *, in_group: bool) -> Iterator[int]:
    """Yield where a group of pages begins that begin streams, behind pages that do not."""
    for at, match in _matches(descriptor, _OGG_PAGE, begin):
        begins_stream = bool(match[1][0] & 2)
        if begins_stream and not in_group:
            yield at
        in_group = begins_stream


def _sign_links(descriptor: int, begin: int, sign: re.Pattern[bytes]) -> Iterator[int]:
    """Yield where a sign stands that is too long to stand there by chance."""
    return (at for at, _ in _matches(descriptor, sign, begin))


def _length_links(descriptor: int, begin: int, form: LengthFormat) -> Iterator[int]:
    """Yield where the sign of a format stands behind the end of a file of it; tags may stand between."""
    at: int | None = begin
    while at is not None and 0 < (length := form.length(descriptor, at)) <= _MAX_OFFSET:
        at = next((found for found, _ in _matches(descriptor, form.sign, at + length)), None)
        if at is not None:
            yield at


def _wavpack_links(descriptor: int, begin: int) -> Iterator[int]:
    """Yield where blocks count from zero again."""
    at: int | None = begin
    last = 0
    while at is not None:
        head = os.pread(descriptor, _WAVPACK_HEADER.size, at)
        if len(head) < _WAVPACK_HEADER.size:
            return
        if not head.startswith(b"wvpk"):
            # Tags stand between two files.
            at = next((found for found, _ in _matches(descriptor, _WAVPACK_BLOCK, at)), None)
            continue
        _, size, high, _, _, index, samples, _ = _WAVPACK_HEADER.unpack(head)
        place = index | high << 32
        if samples and place < last:
            yield at
        last = place if samples else last
        at += _BLOCK_START_BYTES + size


def _mp4_links(descriptor: int) -> Iterator[int]:
    """Yield where an atom begins another file."""
    at = 0
    while at <= _MAX_OFFSET and len(head := os.pread(descriptor, 16, at)) >= 8:
        size = int.from_bytes(head[:4])
        size = int.from_bytes(head[8:16]) if size == 1 else size
        if at and head[4:8] == b"ftyp":
            yield at
        if size < 8:
            return
        at += size


def _matroska_links(descriptor: int) -> Iterator[int]:
    """Yield where an EBML header stands behind a segment."""
    at = 0
    while at <= _MAX_OFFSET and (element := _ebml_element(os.pread(descriptor, 16, at))):
        name, header_bytes, size = element
        if at and name == 0x1A45DFA3:
            yield at
        if size is None:  # written as it was recorded
            yield from _sign_links(descriptor, at + header_bytes, _EBML_START)
            return
        at += header_bytes + size


def _ebml_element(head: bytes) -> tuple[int, int, int | None] | None:
    """Return id, length of the header and length of the content (None: not known) of an element; None without one."""
    if not head or not head[0]:
        return None
    name_bytes = 9 - head[0].bit_length()
    if len(head) <= name_bytes or not head[name_bytes]:
        return None
    size_bytes = 9 - head[name_bytes].bit_length()
    coded = int.from_bytes(head[name_bytes : name_bytes + size_bytes])
    size = coded & (1 << 7 * size_bytes) - 1
    known = size != (1 << 7 * size_bytes) - 1
    return int.from_bytes(head[:name_bytes]), name_bytes + size_bytes, size if known else None
