"""FLAC: the STREAMINFO block and the frames; neither comments, pictures, padding nor seek tables."""

import re

from pipeline.audio.identity.parts import FileBytes, Parts, Span

STREAMINFO, COMMENT = 0, 4
_MASK = re.compile(rb"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=([0-9A-Za-z]{1,18})", re.IGNORECASE)


def flac_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of the FLAC stream that begins with `fLaC`."""
    at, last = sound.begin + 4, 0
    while not last:
        head = file.exact(at, 4)
        last, kind, length = head[0] & 0x80, head[0] & 0x7F, int.from_bytes(head[1:], "big")
        if kind == STREAMINFO:
            yield file.exact(at + 4, length)
        elif kind == COMMENT:
            yield from channel_mask(file.exact(at + 4, length))
        at += 4 + length
    yield Span(at, sound.end)


def channel_mask(comment: bytes) -> Parts:
    """Yield the one comment that decides which channel is which, where there is one."""
    if found := _MASK.search(comment):
        yield b"channels " + found.group(1).lower()
