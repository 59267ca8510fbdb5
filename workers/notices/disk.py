"""How much room the disk of a home has."""

import os
from pathlib import Path

from pipeline.text import printable

SHARE = 0.05
"""Of a disk's space or files: with less than this left it is low, ..."""
BYTES = 10 * 1024**3
"""... unless so much is left."""


def describe_low_disk(home: Path) -> str:
    """Return in words that the disk of a home is nearly full; empty when it is not, or nobody knows."""
    try:
        disk = os.statvfs(home)
    except OSError:
        return ""
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free < min(SHARE * size, BYTES):
        return f"{_describe_bytes(free)} of {_describe_bytes(size)} are free on the disk of {printable(str(home))}"
    if disk.f_favail < SHARE * disk.f_files:
        return f"{disk.f_favail:,} of {disk.f_files:,} files are free on the disk of {printable(str(home))}"
    return ""


def _describe_bytes(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB" if count >= 1024**3 else f"{count / 1024**2:.1f} MiB"
