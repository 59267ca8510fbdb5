"""The last line of a part: a CRC-32 of all bytes before it, so that any flipped bit is found.

HDF5 has checksums of its own structures and we of all rows, but the bytes that pad a part's last chunk have neither.
HDF5 ignores what follows the end of file that its own header states. Segments need no trailer: every bit of them is
covered already, as tests show.
"""

import re
import zlib
from pathlib import Path

_LINE = re.compile(rb"\nchordal crc32 ([0-9a-f]{8})\n")
_LENGTH = len(b"\nchordal crc32 00000000\n")
_BLOCK_BYTES = 1 << 20


def append(path: Path) -> None:
    """Append the trailer to a file that is complete but for it. Raises `OSError`."""
    crc = 0
    with path.open("rb+") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
        file.write(b"\nchordal crc32 %08x\n" % crc)


def is_whole(path: Path) -> bool:
    """Return whether a file has a trailer and the CRC-32 that it states. Raises `OSError`."""
    left = path.stat().st_size - _LENGTH
    crc = 0
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
            crc = zlib.crc32(block, crc)
            left -= len(block)
        last = _LINE.fullmatch(file.read())
    return last is not None and int(last[1], 16) == crc
