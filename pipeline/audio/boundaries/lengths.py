"""How long the file of a format is by its own header: what lies behind it is another file, or tags."""

import os
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

_AVI_MORE = re.compile(rb"RIFF....AVIX", re.DOTALL)
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
MOST_PARTS = 100_000
"""No file has so many parts at its outermost level; a damaged one may."""
_OPEN_LENGTH = 0xFFFF_FFFF
MAX_OFFSET = 2**62


class LengthFormat(NamedTuple):
    """A format whose files say how long they are."""

    sign: re.Pattern[bytes]
    """What they begin with."""
    length: Callable[[int, int], int]
    """The bytes of the file that begins at a byte of a descriptor; 0 where it does not say."""
    is_read_silently: bool
    """Whether decoders read what is there of a file that is cut short, and do not say that more should be."""


def length_format(head: bytes) -> LengthFormat | None:
    """Return the format of a file with these first bytes; None of one that does not say how long it is."""
    return next((each for each in _FORMATS if each.sign.match(head)), None)


def _read(descriptor: int, size: int, at: int) -> bytes:
    """Return so many bytes from a place on; none where no file can have one, which a damaged length may name."""
    return os.pread(descriptor, size, at) if at < MAX_OFFSET else b""


def _number(descriptor: int, at: int, size: int, order: Literal["little", "big"] = "little") -> int:
    return int.from_bytes(_read(descriptor, size, at), order)


def _riff(descriptor: int, at: int) -> int:
    return 8 + _number(descriptor, at + 4, 4)


def _avi(descriptor: int, at: int) -> int:
    length = _riff(descriptor, at)
    # One of more than a gigabyte has further parts.
    while _AVI_MORE.match(_read(descriptor, 12, at + length)):
        length += _riff(descriptor, at + length)
    return length


def _rf64(descriptor: int, at: int) -> int:
    # The sizes stand in a chunk of their own, the first one.
    return 8 + _number(descriptor, at + 20, 8)


def _form(descriptor: int, at: int) -> int:
    return 8 + _number(descriptor, at + 4, 4, "big")


def _dsdiff(descriptor: int, at: int) -> int:
    return 12 + _number(descriptor, at + 4, 8, "big")


def _dsf(descriptor: int, at: int) -> int:
    return _number(descriptor, at + 12, 8)


def _w64(descriptor: int, at: int) -> int:
    return _number(descriptor, at + 16, 8)


def _au(descriptor: int, at: int) -> int:
    data = _number(descriptor, at + 8, 4, "big")
    return 0 if data == _OPEN_LENGTH else _number(descriptor, at + 4, 4, "big") + data


def _ape(descriptor: int, at: int) -> int:
    head = _read(descriptor, 36, at)
    return sum(int.from_bytes(head[place : place + 4], "little") for place in range(8, len(head), 4))


def _tta(descriptor: int, at: int) -> int:
    head = _read(descriptor, 22, at)
    if len(head) < 22:
        return 0
    rate_hz, samples = int.from_bytes(head[10:14], "little"), int.from_bytes(head[14:18], "little")
    frames = min(-(-samples * 245 // (rate_hz * 256)) if rate_hz else 0, MOST_PARTS)
    table = _read(descriptor, 4 * frames, at + 22)
    sizes = [int.from_bytes(table[place : place + 4], "little") for place in range(0, len(table), 4)]
    return 22 + 4 * frames + 4 + sum(sizes)


def _caf(descriptor: int, at: int) -> int:
    length = 8
    for _ in range(MOST_PARTS):
        head = _read(descriptor, 12, at + length)
        if len(head) < 12 or head.startswith(b"caff"):
            return length
        size = int.from_bytes(head[4:], "big", signed=True)
        if size < 0:
            return 0
        length += 12 + size
    return 0


def _asf(descriptor: int, at: int) -> int:
    length = _number(descriptor, at + 16, 8)
    for _ in range(MOST_PARTS):
        head = _read(descriptor, 24, at + length)
        if len(head) < 24 or head.startswith(_ASF_HEADER):
            return length
        size = int.from_bytes(head[16:], "little")
        if size < 24:
            return 0
        length += size
    return 0


def _voc(descriptor: int, at: int) -> int:
    length = _number(descriptor, at + 20, 2)
    for _ in range(MOST_PARTS):
        head = _read(descriptor, 4, at + length)
        if not head or not head[0]:
            return length + len(head[:1])
        length += 4 + int.from_bytes(head[1:], "little")
    return 0


_FORMATS = tuple(
    LengthFormat(sign=re.compile(sign, re.DOTALL), length=length, is_read_silently=is_read_silently)
    for sign, length, is_read_silently in (
        (rb"RIFF....WAVE", _riff, False),
        (rb"RIFF....AVI ", _avi, False),
        (rb"(?:RF64|BW64)....WAVE", _rf64, True),
        (rb"FORM....AIF[FC]", _form, False),
        (rb"FRM8........DSD ", _dsdiff, True),
        (rb"DSD \x1c\0\0\0\0\0\0\0", _dsf, True),
        (rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", _w64, True),
        (rb"\.snd\0\0.{6}\0\0\0[\x01-\x1b]", _au, False),
        (rb"caff\0\x01\0\0desc", _caf, True),
        (rb"MAC ..\0\0\x34\0\0\0", _ape, False),
        (rb"TTA1[\1-\3]\0[\1-\x7f]\0", _tta, False),
        (rb"Creative Voice ", _voc, True),
        (re.escape(_ASF_HEADER), _asf, False),
    )
)
