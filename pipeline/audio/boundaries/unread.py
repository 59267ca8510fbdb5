"""What of a file no decoder reads, and none speaks of."""

import os
import re
from typing import Literal, NamedTuple

from pipeline.audio.boundaries.lengths import MAX_OFFSET, MOST_PARTS, length_format

NO_END_MARK = "the stream has no end mark"

_MOST_PAGE_BYTES = 65_307
"""Of Ogg."""
_LEAST_BYTES = 1_024
"""Programs count their headers in different ways, and tags stand anywhere; and that is a moment of sound."""
_CHUNK_NAME = re.compile(rb"[ -~]{4}")
_TAG_OR_PADDING = (b"ID3", b"TAG", b"\0\0\0\0")


class _ChunkForm(NamedTuple):
    order: Literal["little", "big"]
    samples: bytes
    """The name of the chunk of samples."""


_WAV = re.compile(rb"RIFF....WAVE", re.DOTALL)
_AIFF = re.compile(rb"FORM....AIF[FC]", re.DOTALL)
_CHUNK_FORMS = {_WAV: _ChunkForm("little", b"data"), _AIFF: _ChunkForm("big", b"SSND")}


def describe_unread(descriptor: int) -> str:
    """Return in words what of an open file is not there or is read by nobody; empty where all of it is read."""
    head, size = os.pread(descriptor, 32, 0), os.fstat(descriptor).st_size
    if head.startswith(b"OggS"):
        return "" if _has_end_mark(descriptor, size) else NO_END_MARK
    for sign, chunks in _CHUNK_FORMS.items():
        if sign.match(head):
            return _describe_chunks(descriptor, size, chunks)
    form = length_format(head)
    length = form.length(descriptor, 0) if form is not None and form.is_read_silently else 0
    is_cut = size + _LEAST_BYTES < length < MAX_OFFSET
    return f"the file has {size:,} of {length:,} bytes" if is_cut else ""


def _has_end_mark(descriptor: int, size: int) -> bool:
    """Return whether the last page of an Ogg is the last one of its stream; True where it is not found."""
    begin = max(0, size - _MOST_PAGE_BYTES)
    tail = os.pread(descriptor, size - begin, begin)
    page = tail.rfind(b"OggS\0")
    return page < 0 or len(tail) <= page + 5 or bool(tail[page + 5] & 4)


def _describe_chunks(descriptor: int, size: int, form: _ChunkForm) -> str:
    """Return in words what of a WAV or AIFF stands in no chunk, or in other chunks of samples than the last one.

    Decoders read the last one. What stands in none may be sound: a header of 32 bits cannot name more than 4 GB.
    """
    samples, at, padding = [0], 12, 0
    for _ in range(MOST_PARTS):
        head = os.pread(descriptor, 8, at)
        if padding and not _CHUNK_NAME.match(head):  # a program that wrote none
            at -= padding
            head = os.pread(descriptor, 8, at)
        if len(head) < 8 or head.startswith((b"RIFF", b"FORM", *_TAG_OR_PADDING)):
            break
        if not _CHUNK_NAME.match(head):
            return f"{size - at:,} bytes behind the sound left out" if size - at >= _LEAST_BYTES else ""
        length = int.from_bytes(head[4:], form.order)
        if head.startswith(form.samples):
            if not length:  # never written: decoders read to the end
                return ""
            samples.append(min(length, size - at - 8))
        padding = length % 2
        at += 8 + length + padding
    others = sum(samples[:-1])
    return f"{others:,} bytes in further chunks of samples left out" if others else ""
