"""Where another stream begins behind the first one of a file: chained Ogg streams, files joined end to end."""

import os
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Literal

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
_SIGN_BYTES = 16
# RIFF and its kin: how the length behind the sign is written, and what holds sound.
_SIZES: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}
_SOUND_FORMS = frozenset({b"WAVE", b"AIFF", b"AIFC"})
_WAVPACK_HEADER = struct.Struct("<4sI2xBBIIII")
_BLOCK_START_BYTES = 8
# MPEG audio: the bit rates of layer III, kbit/s, of version 1 and of the others; and the rates of version 1.
_MPEG_RATES_HZ = (44_100, 48_000, 32_000)
_LAYER_3_KBPS = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
)
_MPEG_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", re.DOTALL)
_LEAST_FRAMES = 3


def starts_of_links(descriptor: int, *, begin: int = 0) -> list[int]:
    """Return at which bytes further streams begin behind the one at the start of an open file.

    `begin` is a byte up to which there is none. Of Ogg, FLAC, WavPack, Matroska, MP4, WAV and AIFF; none of others.
    """
    head = os.pread(descriptor, 12, 0)
    links: Iterable[int] = ()
    if head.startswith(b"OggS"):
        links = _ogg_links(descriptor, begin)
    elif head.startswith(b"wvpk"):
        links = _wavpack_links(descriptor)
    elif head.startswith(b"\x1a\x45\xdf\xa3"):
        links = _matroska_links(descriptor)
    elif head[4:8] == b"ftyp":
        links = _mp4_links(descriptor)
    elif head[:4] in _SIZES and head[8:12] in _SOUND_FORMS:
        links = _chunk_links(descriptor)
    elif head.startswith((b"fLaC", b"ID3")):
        first = id3_bytes(head)
        links = (at for at, _ in _matches(descriptor, _FLAC_START, max(begin, first)) if at > first)
    return list(links)


def id3_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag that a file with these first bytes begins with; 0 without one."""
    if not head.startswith(b"ID3"):
        return 0
    # A tag's length has seven bits in each byte.
    return 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))


def has_mpeg_frames(descriptor: int, begin: int) -> bool:
    """Return whether frames of MP3 lie behind a byte of the file, and not just tags."""
    data = os.pread(descriptor, _CHUNK_BYTES, begin)
    return any(_frames_in_a_row(data, match.start()) for match in _MPEG_SYNC.finditer(data))


def _matches(descriptor: int, pattern: re.Pattern[bytes], begin: int) -> Iterator[tuple[int, re.Match[bytes]]]:
    """Yield where a sign stands in the file from a byte on, and the match."""
    at = begin
    while len(data := os.pread(descriptor, _CHUNK_BYTES + _SIGN_BYTES, at)) > 1:
        for match in pattern.finditer(data):
            if match.start() < _CHUNK_BYTES:  # else it is found again in the next piece
                yield at + match.start(), match
        at += _CHUNK_BYTES


def _ogg_links(descriptor: int, begin: int) -> Iterator[int]:
    """Yield where a group of pages begins that begin streams, behind pages that do not."""
    in_group = begin == 0
    for at, match in _matches(descriptor, _OGG_PAGE, begin):
        begins_stream = bool(match[1][0] & 2)
        if begins_stream and not in_group:
            yield at
        in_group = begins_stream


def _wavpack_links(descriptor: int) -> Iterator[int]:
    """Yield where blocks count from zero again."""
    at: int | None = 0
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


def _chunk_links(descriptor: int) -> Iterator[int]:
    """Yield where another WAV or AIFF stands behind one of known length."""
    at = 0
    while (head := os.pread(descriptor, 12, at))[:4] in _SIZES and head[8:] in _SOUND_FORMS:
        if at:
            yield at
        size = int.from_bytes(head[4:8], _SIZES[head[:4]])
        at += 8 + size + size % 2


def _matroska_links(descriptor: int) -> Iterator[int]:
    """Yield where an EBML header stands behind a segment of known length."""
    at = 0
    while at <= _MAX_OFFSET and (element := _ebml_element(os.pread(descriptor, 16, at))):
        name, header_bytes, size = element
        if at and name == 0x1A45DFA3:
            yield at
        if size is None:
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


def _frames_in_a_row(data: bytes, at: int) -> bool:
    """Return whether some frames of MP3 follow one another."""
    for _ in range(_LEAST_FRAMES):
        size = _mpeg_frame_bytes(data[at : at + 4])
        if not size:
            return False
        at += size
    return True


def _mpeg_frame_bytes(head: bytes) -> int:
    """Return the length of a frame of layer III by its header; 0 where it is none."""
    if len(head) < 4 or not _MPEG_SYNC.match(head):
        return 0
    version = head[1] >> 3 & 3  # 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
    rate_index = head[2] >> 2 & 3
    kbps = _LAYER_3_KBPS[version == 3][head[2] >> 4]
    if rate_index == 3 or not kbps:
        return 0
    rate_hz = _MPEG_RATES_HZ[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    return (144 if version == 3 else 72) * kbps * 1000 // rate_hz + (head[2] >> 1 & 1)
