"""What the header of a file says that decides between copies. Imports mutagen when called."""

import os
from typing import Any

from pipeline.library.duplicates.copies import Copy, CopyFacts
from pipeline.library.tags.read import read_tags
from pipeline.library.tags.tags import FIELDS

_LOSSLESS = frozenset(
    {"aif", "aifc", "aiff", "ape", "au", "dff", "dsf", "fla", "flac", "rf64", "tta", "w64", "wav", "wv"}
)
_EITHER = frozenset({"caf", "m4a", "m4b", "mka", "mov", "mp4", "oga", "ogg", "wma"})
"""Names of containers of lossless sound and of lossy sound: where the header is not read, the bit rate tells."""
_LOSSLESS_SHARE = 0.35
"""Of the bit rate of 16-bit samples: lossy encoders take less, lossless ones more."""


def probe(copy: Copy, path: str, *, in_album_file: bool = False) -> CopyFacts:
    """Return what decides between copies, of the file at a path, whose header is read."""
    header, tags = _header(path), read_tags(path)
    bit_rate_kbps = float(getattr(header, "bitrate", 0) or 0) / 1000
    if bit_rate_kbps <= 0:
        bit_rate_kbps = copy.size_bytes * 8 / 1000 / copy.duration_s if copy.duration_s > 0 else 0.0
    return CopyFacts(
        format=_suffix(path) or "unknown",
        lossless=_is_lossless(header, _suffix(path), copy, bit_rate_kbps),
        bit_rate_kbps=round(bit_rate_kbps, 1),
        tags=sum(bool(tags.values(field)) for field in FIELDS),
        in_album_file=in_album_file,
    )


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].removeprefix(".").lower()  # noqa: PTH122 - paths with odd bytes


def _header(path: str) -> Any:
    """Return what mutagen finds of the stream in a file; None when it knows nothing of it."""
    from mutagen import File

    try:
        file = File(path)
    except Exception:  # noqa: BLE001 -- mutagen's parsers raise anything over a malformed file
        return None
    return file.info if file is not None else None


def _is_lossless(header: Any, suffix: str, copy: Copy, bit_rate_kbps: float) -> bool:
    codec = str(getattr(header, "codec", "")).lower()
    if codec.startswith(("mp4a", "ac-3", "ec-3")):
        return False
    if codec in {"alac", "flac"} or type(header).__name__ in {"FLACInfo", "OggFLACInfo"}:
        return True
    if suffix in _EITHER:
        return bit_rate_kbps > _LOSSLESS_SHARE * 16 * copy.channels * copy.sample_rate_hz / 1000
    return suffix in _LOSSLESS
