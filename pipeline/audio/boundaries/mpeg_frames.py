"""Frames of MPEG audio, layers I to III, found by their headers."""

import os
import re

_PIECE_BYTES = 1_048_576
# A frame has 2,881 bytes at most; a tag with a large picture may stand before the first one.
_OVERLAP_BYTES = 16_384
_FRAME_HEADER_BYTES = 4
_RATES_HZ = (44_100, 48_000, 32_000)
"""Of MPEG-1."""
_RATE_DIVISORS = {3: 1, 2: 2, 0: 4}
"""By version: MPEG-1, MPEG-2, MPEG-2.5."""
_KBPS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
"""Bit rates by whether it is MPEG-1, and by layer."""
_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", re.DOTALL)
_LEAST_FRAMES = 3


def has_mpeg_frames(descriptor: int, begin: int) -> bool:
    """Return whether frames of MPEG audio lie behind a byte of the file, and not just tags."""
    at = begin
    while len(data := os.pread(descriptor, _PIECE_BYTES + _OVERLAP_BYTES, at)) > _FRAME_HEADER_BYTES:
        if any(_frames_in_a_row(data, match.start()) for match in _SYNC.finditer(data)):
            return True
        at += _PIECE_BYTES
    return False


def _frames_in_a_row(data: bytes, at: int) -> bool:
    """Return whether some frames follow one another."""
    for _ in range(_LEAST_FRAMES):
        size = frame_bytes(data[at : at + _FRAME_HEADER_BYTES])
        if not size:
            return False
        at += size
    return True


def frame_bytes(head: bytes) -> int:
    """Return the length of a frame by its header; 0 where it is none."""
    if len(head) < _FRAME_HEADER_BYTES or not _SYNC.match(head):
        return 0
    version, layer, rate_index = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 2 & 3
    kbps = _KBPS[version == 3, layer][head[2] >> 4]
    if rate_index == 3 or not kbps:
        return 0
    rate_hz = _RATES_HZ[rate_index] // _RATE_DIVISORS[version]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12 * kbps * 1000 // rate_hz + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * kbps * 1000 // rate_hz + padding
