"""MPEG audio (MP3, MP2, AAC in ADTS): the frames; of the frame that only tells the length, what it tells of the sound.

A program that copies an MP3 with other tags writes that first frame anew: with another name of the encoder, another
table for seeking.
"""

from pipeline.audio.boundaries.mpeg_frames import frame_bytes
from pipeline.audio.identity.parts import FileBytes, Parts, Span

_PLACES = (36, 21, 13)
"""Where `Xing` or `Info` stand in a frame: behind its header and its side information."""
_FIELD_BYTES = {1: 4, 2: 4, 4: 100, 8: 4}
"""By flag: the number of frames, that of bytes, the table of contents, the quality."""
_DELAY = 21
"""Where, behind the encoder's name, the samples to be left out at both ends stand, in three bytes."""


def mpeg_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of a stream of MPEG frames."""
    first = file.read(sound.begin, 256)
    at = next((place for place in _PLACES if first[place : place + 4] in {b"Xing", b"Info"}), 0)
    length = frame_bytes(first) if at else 0
    if length and sound.begin + length < sound.end:
        yield _length_facts(first[at:])
    else:
        length = 0
    yield Span(sound.begin + length, sound.end)


def _length_facts(info: bytes) -> bytes:
    """Return the number of frames and the samples to be left out, of what a frame of information tells."""
    flags = info[7] if len(info) > 7 else 0
    frames = info[8:12] if flags & 1 else b""
    encoder = 8 + sum(size for flag, size in _FIELD_BYTES.items() if flags & flag)
    return b"frames " + frames + b" delay " + info[encoder + _DELAY : encoder + _DELAY + 3]
