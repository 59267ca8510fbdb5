"""Whether the frames of a FLAC file are what its header says: libFLAC takes their samples for those of one sound.

It hands on frames of another rate as they are, and stops at the length that the header declares.
"""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.audio.boundaries.links import id3_bytes

_STREAMINFO = re.compile(rb"fLaC[\0\x80]\0\0\x22(.{34})", re.DOTALL)
_SYNC = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)
_RATES_HZ = (
    0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
)  # fmt: skip
"""By the code in a frame's header; 0: as the header of the file says. Further codes: the rate stands behind."""
_FREE_RATES = {12: (1, 1_000), 13: (2, 1), 14: (2, 10)}
"""By code: how many bytes the rate has, and in which unit, Hz."""
_NO_RATE = 15
_MOST_HEADER_BYTES = 16
# A frame of 4,096 samples of stereo has at most 24 KB.
_LOOK_BYTES = 65_536
_PLACES = 4


class _Frame(NamedTuple):
    rate_hz: int
    begin: int
    """The first sample."""


def agree_with_header(descriptor: int, *, end: int | None = None) -> bool:
    """Return whether frames at some places of a FLAC file have its rate and lie within its length; True of no FLAC.

    `end` is a byte at which it ends.
    """
    first = id3_bytes(os.pread(descriptor, 10, 0))
    info = _STREAMINFO.match(os.pread(descriptor, 42, first))
    if not info:
        return True
    block = int.from_bytes(info[1][:2])
    rate_hz = int.from_bytes(info[1][10:13]) >> 4
    declared = int.from_bytes(info[1][13:18]) & (1 << 36) - 1
    size = os.fstat(descriptor).st_size if end is None else end
    for place in range(1, _PLACES + 1):
        frame = _last_frame(descriptor, size * place // _PLACES, block)
        if frame and (frame.rate_hz not in {0, rate_hz} or (declared and frame.begin >= declared)):
            return False
    return True


def _last_frame(descriptor: int, end: int, block: int) -> _Frame | None:
    """Return the last frame that begins shortly before a byte of the file."""
    begin = max(0, end - _LOOK_BYTES)
    data = os.pread(descriptor, end - begin, begin)
    return next(_frames_backwards(data, block), None)


def _frames_backwards(data: bytes, block: int) -> Iterator[_Frame]:
    """Yield the frames whose headers stand in some bytes, the last one first."""
    for match in reversed(list(_SYNC.finditer(data))):
        if frame := _frame(data[match.start() : match.start() + _MOST_HEADER_BYTES], block):
            yield frame


def _frame(head: bytes, block: int) -> _Frame | None:
    """Return the frame of a header (RFC 9639, section 9.1); None where its sum does not agree."""
    if len(head) < _MOST_HEADER_BYTES or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    # The number is coded as UTF-8 codes characters: as many leading ones as it has bytes.
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    if rate_code == _NO_RATE or ones in {1, 8}:
        return None
    number, number_bytes = head[4] & 0x7F >> ones, max(ones, 1)
    for byte in head[5 : 4 + number_bytes]:
        number = number << 6 | byte & 0x3F
    at = 4 + number_bytes + {6: 1, 7: 2}.get(size_code, 0)
    rate_bytes, unit_hz = _FREE_RATES.get(rate_code, (0, 0))
    rate_hz = int.from_bytes(head[at : at + rate_bytes]) * unit_hz if rate_bytes else _RATES_HZ[rate_code]
    at += rate_bytes
    if _crc_8(head[:at]) != head[at]:
        return None
    counts_samples = head[1] & 1
    return _Frame(rate_hz=rate_hz, begin=number if counts_samples else number * block)


def _crc_8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x107 if crc & 0x80 else 0)) & 0x1FF
    return crc & 0xFF
