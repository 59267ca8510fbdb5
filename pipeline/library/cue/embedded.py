"""Cue sheets inside files: the block and the comment of a FLAC, the APEv2 tag of WavPack, Monkey's Audio and others.

Read from a few bytes at the beginning or the end, as every such file of a library is looked into.
"""

import os
import struct

from pipeline.library.cue.encoding import decode_sheet
from pipeline.library.cue.parse import parse_sheet
from pipeline.library.cue.sheet import CueSheet, CueTrack, SheetError

MAX_SHEET_BYTES = 1_048_576
"""No sheet is longer; whatever is, is no sheet."""

_APE_EXTENSIONS = frozenset({"wv", "ape", "tta", "mpc", "mac", "ofr"})
_FLAC_VORBIS_COMMENT, _FLAC_CUESHEET, _FLAC_LAST = 4, 5, 0x80
_MAX_BLOCKS = 128
_APE_TAG = b"APETAGEX"
_ID3V1_BYTES = 128
_LEAD_OUT = (170, 255)


def embedded_sheet(path: str) -> CueSheet | None:
    """Return the cue sheet inside a file; None without one, and for a file that cannot be read: extraction records it.

    The file's name in the sheet is empty. Raises `SheetError` for a sheet that cannot be used.
    """
    extension = path.rpartition(".")[2].lower()
    if extension != "flac" and extension not in _APE_EXTENSIONS:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = _flac_sheet(descriptor) if extension == "flac" else _ape_sheet(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, struct.error, IndexError):
        return None
    return found if isinstance(found, CueSheet) or found is None else _of_text(found)


def _of_text(data: bytes) -> CueSheet:
    if len(data) > MAX_SHEET_BYTES:
        raise SheetError(f"{len(data):,} bytes are no cue sheet")
    text, guess = decode_sheet(data)
    sheet = parse_sheet(text)
    if len(sheet.files) > 1:
        raise SheetError(f"it is of {len(sheet.files)} files, and inside one")
    tracks = tuple(track.replace(file="") for track in sheet.tracks)
    return sheet.replace(tracks=tracks, guess=guess)


def _flac_sheet(descriptor: int) -> bytes | CueSheet | None:
    """Return the sheet of a FLAC: the comment, which has titles, else the block."""
    at = _flac_start(descriptor)
    if at is None:
        return None
    sheet: CueSheet | None = None
    rate_hz = 0
    for _ in range(_MAX_BLOCKS):
        header = os.pread(descriptor, 4, at)
        kind, size = header[0], int.from_bytes(header[1:4], "big")
        if kind & ~_FLAC_LAST == 0:
            rate_hz = int.from_bytes(os.pread(descriptor, 3, at + 4 + 10), "big") >> 4
        elif kind & ~_FLAC_LAST == _FLAC_VORBIS_COMMENT:
            text = _vorbis_sheet(os.pread(descriptor, size, at + 4))
            if text is not None:
                return text
        elif kind & ~_FLAC_LAST == _FLAC_CUESHEET and rate_hz:
            sheet = _block_sheet(os.pread(descriptor, size, at + 4), rate_hz)
        if kind & _FLAC_LAST:
            break
        at += 4 + size
    return sheet


def _flac_start(descriptor: int) -> int | None:
    """Return where the blocks begin, behind an ID3v2 tag too; None for no FLAC."""
    head = os.pread(descriptor, 10, 0)
    at = 0
    if head[:3] == b"ID3":
        at = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return at + 4 if os.pread(descriptor, 4, at) == b"fLaC" else None


def _vorbis_sheet(data: bytes) -> bytes | None:
    """Return the text of the comment `CUESHEET` among the Vorbis comments of a block."""
    at = 4 + int.from_bytes(data[:4], "little")
    count = int.from_bytes(data[at : at + 4], "little")
    at += 4
    for _ in range(count):
        if at + 4 > len(data):
            return None
        size = int.from_bytes(data[at : at + 4], "little")
        name, _, text = data[at + 4 : at + 4 + size].partition(b"=")
        if name.upper() == b"CUESHEET":
            return text
        at += 4 + size
    return None


def _block_sheet(data: bytes, rate_hz: int) -> CueSheet | None:
    """Return the sheet of a FLAC's CUESHEET block, which has no titles; offsets count samples."""
    tracks: list[CueTrack] = []
    at = 128 + 8 + 1 + 258
    count = data[at]
    at += 1
    for _ in range(count):
        offset, number, flags, indices = struct.unpack_from(">QB12xB13xB", data, at)
        at += 36
        start = offset
        for _ in range(indices):
            index_offset, index_number = struct.unpack_from(">QB3x", data, at)
            at += 12
            if index_number == 1:
                start = offset + index_offset
        if number not in _LEAD_OUT:
            tracks.append(CueTrack(number=number, file="", start_s=start / rate_hz, is_audio=not flags & 0x80))
    return CueSheet(tracks=tuple(tracks)) if tracks else None


def _ape_sheet(descriptor: int) -> bytes | None:
    """Return the text of the item `Cuesheet` of an APEv2 tag at the end of a file, before an ID3v1 tag too."""
    end = os.fstat(descriptor).st_size
    for footer_end in (end, end - _ID3V1_BYTES):
        if footer_end < 32:
            continue
        footer = os.pread(descriptor, 32, footer_end - 32)
        if footer[:8] == _APE_TAG:
            size, count = struct.unpack_from("<II", footer, 12)
            if 32 <= size <= 16 * MAX_SHEET_BYTES:
                return _ape_item(os.pread(descriptor, size - 32, max(footer_end - size, 0)), count)
    return None


def _ape_item(data: bytes, count: int) -> bytes | None:
    at = 0
    for _ in range(min(count, 65_536)):
        if at + 8 > len(data):
            return None
        (size,) = struct.unpack_from("<I", data, at)
        end = data.find(b"\0", at + 8)
        if end < 0:
            return None
        if data[at + 8 : end].lower() == b"cuesheet":
            return data[end + 1 : end + 1 + size]
        at = end + 1 + size
    return None
