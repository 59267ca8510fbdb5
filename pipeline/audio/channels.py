"""The names of a sound's channels, and the order in which decoders hand their samples on: that of WAVE.

Names are FFmpeg's: front left, right and centre, low frequency effects, back, side, wide and top loudspeakers.
"""

import re
from collections.abc import Sequence

ChannelNames = tuple[str, ...]
"""One name per channel; empty where the file does not say which channels it has."""

WAVE_ORDER: ChannelNames = (
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR",
    "DL", "DR", "WL", "WR", "SDL", "SDR", "LFE2", "TSL", "TSR", "BFC", "BFL", "BFR", "SSL", "SSR", "TTL", "TTR",
)  # fmt: skip
"""The first eighteen are the bits of a channel mask, from the lowest; FFmpeg's own follow in FFmpeg's order."""

MASK_BITS = 18

# Vorbis I, section 4.3.9; RFC 7845, section 5.1.1.2, has the same. Two channels are left and right in any order.
_VORBIS_ORDERS: dict[int, ChannelNames] = {
    3: ("FL", "FC", "FR"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FC", "FR", "BL", "BR"),
    6: ("FL", "FC", "FR", "BL", "BR", "LFE"),
    7: ("FL", "FC", "FR", "SL", "SR", "BC", "LFE"),
    8: ("FL", "FC", "FR", "SL", "SR", "BL", "BR", "LFE"),
}


MASK_TAG = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
"""The comment of FLAC that holds a channel mask."""

_MASK_COMMENT = re.compile(MASK_TAG.encode() + rb"=(0[xX][0-9a-fA-F]{1,8})")
# Of WAV and RF64, or of W64, whose names are GUIDs and whose sizes have eight bytes.
_MASK_CHUNK = re.compile(rb"fmt (?:.{4}|.{20})\xfe\xff.{18}(.{4})", re.DOTALL)


def vorbis_names(channels: int) -> ChannelNames:
    """Return the names of so many channels in the order in which Vorbis and Opus keep them; empty beyond eight."""
    return _VORBIS_ORDERS.get(channels, ())


def names_of_mask(mask: int, channels: int) -> ChannelNames:
    """Return the names that a channel mask of WAVEFORMATEXTENSIBLE gives; empty where it does not fit the number."""
    names = tuple(name for bit, name in enumerate(WAVE_ORDER[:MASK_BITS]) if mask >> bit & 1)
    return names if len(names) == channels and not mask >> MASK_BITS else ()


def mask_in_header(header: bytes) -> int:
    """Return the channel mask in the first bytes of a WAV, RF64, W64 or FLAC; 0 without one."""
    if chunk := _MASK_CHUNK.search(header):
        return int.from_bytes(chunk[1], "little")
    comment = _MASK_COMMENT.search(header)
    return int(comment[1], 16) if comment else 0


def known_names(names: Sequence[str]) -> ChannelNames:
    """Return names as they are, or none where one of them is unknown or stands twice."""
    known = tuple(names)
    return known if len(set(known)) == len(known) and set(known) <= set(WAVE_ORDER) else ()


def in_wave_order(names: ChannelNames) -> ChannelNames:
    """Return the names in the order of WAVE."""
    return tuple(sorted(names, key=WAVE_ORDER.index))


def wave_permutation(names: ChannelNames) -> tuple[int, ...] | None:
    """Return from which place in a file's order each channel comes in that of WAVE; None where that changes nothing."""
    permutation = tuple(names.index(name) for name in in_wave_order(names))
    return None if permutation == tuple(range(len(names))) else permutation
