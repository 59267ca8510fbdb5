"""The last line of a part: a CRC-32 of all bytes before it, so that no flipped bit goes unseen, wherever it is.

HDF5 has checksums of its own structures and we of all rows, but a part's last chunk is longer than its rows. HDF5 does
not look behind the end that it wrote down itself. Segments need none: every bit of them is covered, as tests show.
"""

import re
import zlib
from pathlib import Path

_LINE = re.compile(rb"\nchordal crc32 ([0-9a-f]{8})\n")
_LENGTH = len(b"\nchordal crc32 00000000\n")
_BLOCK_BYTES = 1 << 20


def append(path: Path) -> None:
    """Write the last line of a file that is complete but for it. Raises `OSError`."""
    crc = 0
    with path.open("rb+") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
        file.write(b"\nchordal crc32 %08x\n" % crc)


def is_whole(path: Path) -> bool:
    """Return whether a file's last line is there and tells what its bytes say. Raises `OSError`."""
    left = path.stat().st_size - _LENGTH
    crc = 0
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
            crc = zlib.crc32(block, crc)
            left -= len(block)
        last = _LINE.fullmatch(file.read())
    return last is not None and int(last[1], 16) == crc
