"""Which reader has the parts of a file's sound: by its first bytes behind the tags, whatever its name."""

from collections.abc import Callable

from pipeline.audio.identity.asf import HEADER as ASF
from pipeline.audio.identity.asf import asf_parts
from pipeline.audio.identity.chunks import (
    aiff_parts,
    au_parts,
    caf_parts,
    dsdiff_parts,
    dsf_parts,
    w64_parts,
    wave_parts,
)
from pipeline.audio.identity.flac import flac_parts
from pipeline.audio.identity.mp4 import mp4_parts
from pipeline.audio.identity.ogg import ogg_parts
from pipeline.audio.identity.parts import FileBytes, NotParsedError, Parts, Span
from pipeline.audio.identity.tag_blocks import untagged

_Reader = Callable[[FileBytes, Span], Parts]

_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_MP4_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_UNTAGGED = {
    b"wvpk": "wavpack",
    b"MAC ": "ape",
    b"TTA1": "tta",
    b"TTA2": "tta",
    b"MPCK": "musepack",
    b"MP+": "musepack",
    b"tBaK": "tak",
    b"OFR ": "optimfrog",
    b"\x0b\x77": "ac3",
}
"""Formats that are nothing but sound between the tags, by their first bytes."""


def sound_parts(file: FileBytes) -> tuple[str, Parts]:
    """Return the name of a file's format and the parts of its sound; reading them may raise `NotParsedError`, too.

    Raises `NotParsedError` for a format that has no reader.
    """
    sound = untagged(file)
    name, reader = _reader_of(file.read(sound.begin, 16))
    return name, reader(file, sound)


def _reader_of(head: bytes) -> tuple[str, _Reader]:
    if head[:4] in {b"RIFF", b"RIFX", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
        return "wave", wave_parts
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return "aiff", aiff_parts
    if head[:4] == b"FRM8" and head[12:16] == b"DSD ":
        return "dsdiff", dsdiff_parts
    if head[4:8] in _MP4_BOXES:
        return "mp4", mp4_parts
    for mark, name, reader in (
        (b"fLaC", "flac", flac_parts),
        (b"OggS", "ogg", ogg_parts),
        (ASF, "asf", asf_parts),
        (_W64, "w64", w64_parts),
        (b"caff", "caf", caf_parts),
        (b"DSD ", "dsf", dsf_parts),
        (b".snd", "au", au_parts),
        (b"dns.", "au", au_parts),
    ):
        if head.startswith(mark):
            return name, reader
    for mark, name in _UNTAGGED.items():
        if head.startswith(mark):
            return name, _whole
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "mpeg", _whole
    raise NotParsedError("no reader of the format")


def _whole(_file: FileBytes, sound: Span) -> Parts:
    yield sound
