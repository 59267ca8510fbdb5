"""Which reader has the parts of a file's sound: by its first bytes behind the tags, whatever its name."""

import re
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
from pipeline.audio.identity.mpeg import mpeg_parts
from pipeline.audio.identity.ogg import ogg_parts
from pipeline.audio.identity.parts import FileBytes, NotParsedError, Parts, Span
from pipeline.audio.identity.tag_blocks import untagged

_Reader = Callable[[FileBytes, Span], Parts]


def _whole(_file: FileBytes, sound: Span) -> Parts:
    yield sound


_FORMATS: tuple[tuple[str, bytes, _Reader], ...] = (
    ("wave", rb"(?:RIF[FX]|RF64|BW64)....WAVE", wave_parts),
    ("aiff", rb"FORM....AIF[FC]", aiff_parts),
    ("flac", rb"fLaC", flac_parts),
    ("ogg", rb"OggS", ogg_parts),
    ("mp4", rb"....(?:ftyp|moov|mdat|wide|free|skip|pnot)", mp4_parts),
    ("asf", re.escape(ASF), asf_parts),
    ("w64", rb"riff\x2e\x91\xcf\x11", w64_parts),
    ("caf", rb"caff", caf_parts),
    ("dsf", rb"DSD ", dsf_parts),
    ("dsdiff", rb"FRM8.{8}DSD ", dsdiff_parts),
    ("au", rb"\.snd|dns\.", au_parts),
    # Nothing but sound between the tags: WavPack, Monkey's Audio, TTA, Musepack, TAK, OptimFROG, AC-3,
    ("frames", rb"wvpk|MAC |TTA[12]|MPCK|MP\+|tBaK|OFR |\x0b\x77", _whole),
    # and MPEG's layers with AAC, by the eleven bits that begin each frame.
    ("mpeg", rb"\xff[\xe0-\xff]", mpeg_parts),
)
"""Each with the first bytes by which it is known."""

READ_BY_LENGTH = frozenset({"wave", "aiff", "w64", "caf", "dsf", "dsdiff", "au"})
"""Formats whose readers end where the header says, and so see nothing of another file behind."""

_PATTERNS = tuple((name, re.compile(pattern, re.DOTALL), reader) for name, pattern, reader in _FORMATS)


def sound_parts(file: FileBytes) -> tuple[str, Parts]:
    """Return the name of a file's format and the parts of its sound; reading them may raise `NotParsedError`, too.

    Raises `NotParsedError` for a format that has no reader.
    """
    sound = untagged(file)
    head = file.read(sound.begin, 16)
    for name, pattern, reader in _PATTERNS:
        if pattern.match(head):
            return name, reader(file, sound)
    raise NotParsedError("no reader of the format")
