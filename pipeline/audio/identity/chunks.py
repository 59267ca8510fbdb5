"""Formats made of chunks: WAV with its 64-bit forms, AIFF, CAF, DSF and DSDIFF; and AU, which is a header and data."""

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.audio.identity.parts import FileBytes, NotParsedError, Parts, Span

_MAX_FACT_BYTES = 64 << 20
"""The largest chunk of facts that is read: packet tables of CAF are long."""
_OPEN_END = 0xFFFF_FFFF


class _Chunk(NamedTuple):
    name: bytes
    begin: int
    """Of its content."""
    end: int

    def content(self, file: FileBytes) -> bytes:
        length = self.end - self.begin
        if length > _MAX_FACT_BYTES:
            raise NotParsedError(f"a chunk {self.name!r} of {length} bytes")
        return file.exact(self.begin, length)


def wave_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of RIFF, RIFX, RF64 and BW64: format and data; so those of a WAV and its RF64 are equal."""
    big = file.exact(sound.begin, 4) == b"RIFX"
    data_bytes = None
    yield b"big" if big else b"little"
    for chunk in _chunks(file, Span(sound.begin + 12, file.size), size_bytes=4, big=big, align=2):
        if chunk.name == b"ds64":
            data_bytes = file.number(chunk.begin + 8, 8)
        elif chunk.name == b"fmt ":
            yield _wave_format(chunk.content(file))
        elif chunk.name == b"data":
            yield Span(chunk.begin, _data_end(file, chunk, data_bytes))
            if chunk.end - chunk.begin in {0, _OPEN_END}:
                return


def _wave_format(content: bytes) -> bytes:
    """Return a format without the length of an extension that is not there, which some programs write."""
    return content[:16] if content[16:] == b"\0\0" else content


def _data_end(file: FileBytes, chunk: _Chunk, data_bytes: int | None) -> int:
    """Return where the data ends: a recorder that was cut off, or writes to a pipe, leaves no length in its header."""
    length = chunk.end - chunk.begin
    if length == _OPEN_END and data_bytes:
        return chunk.begin + data_bytes
    return file.size if length in {0, _OPEN_END} else chunk.end


def w64_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of Sony Wave64, whose names are GUIDs that begin with those of RIFF."""
    at = sound.begin + 40
    while at + 24 <= sound.end:  # a tag of another format may follow
        name, length = file.exact(at, 4), file.number(at + 16, 8)
        if length < 24:
            raise NotParsedError("a chunk without a length")
        if name == b"fmt ":
            yield _wave_format(file.exact(at + 24, min(length - 24, 4_096)))
        elif name == b"data":
            yield Span(at + 24, at + length)
        at += (length + 7) // 8 * 8


def aiff_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of AIFF and AIFF-C."""
    yield file.exact(sound.begin + 8, 4)
    for chunk in _chunks(file, Span(sound.begin + 12, file.size), size_bytes=4, big=True, align=2):
        if chunk.name == b"COMM":
            yield chunk.content(file)
        elif chunk.name == b"SSND":
            yield Span(chunk.begin, chunk.end)


def caf_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of Apple's Core Audio Format: description, channels, codec setup, packet table and data."""
    for chunk in _chunks(file, Span(sound.begin + 8, file.size), size_bytes=8, big=True, align=1):
        if chunk.name in {b"desc", b"chan", b"kuki", b"pakt"}:
            yield chunk.name + chunk.content(file)
        elif chunk.name == b"data":
            yield Span(chunk.begin + 4, chunk.end)  # behind the count of edits


def dsf_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of DSF; the header before them says where the tag lies."""
    at = sound.begin + 28
    while at + 12 <= file.size:
        name, length = file.exact(at, 4), file.number(at + 4, 8)
        if name == b"fmt ":
            yield file.exact(at + 12, min(length, 4_096) - 12)
        elif name == b"data":
            yield Span(at + 12, at + length)
            return
        if length < 12:
            raise NotParsedError("a chunk without a length")
        at += length


def dsdiff_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of DSDIFF: properties, and the data, plain or packed."""
    for chunk in _chunks(file, Span(sound.begin + 16, file.size), size_bytes=8, big=True, align=2):
        if chunk.name == b"PROP":
            yield chunk.content(file)
        elif chunk.name in {b"DSD ", b"DST "}:
            yield Span(chunk.begin, chunk.end)


def au_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of AU: encoding, rate and channels, and the data behind the annotation."""
    big = file.exact(sound.begin, 4) == b".snd"
    begin, length = (file.number(sound.begin + place, 4, big=big) for place in (4, 8))
    yield (b"big" if big else b"little") + file.exact(sound.begin + 12, 12)
    end = sound.begin + begin + length
    yield Span(sound.begin + begin, file.size if length in {0, _OPEN_END} else end)


def _chunks(file: FileBytes, within: Span, *, size_bytes: int, big: bool, align: int) -> Iterator[_Chunk]:
    """Yield the chunks within a span: a name of four bytes, a length, the content, padded to a whole number."""
    at = within.begin
    while at + 4 + size_bytes <= within.end:
        name, length = file.exact(at, 4), file.number(at + 4, size_bytes, big=big)
        begin = at + 4 + size_bytes
        if length >= 1 << 63:  # to the end of the file
            length = within.end - begin
        yield _Chunk(name, begin, begin + length)
        at = begin + (length + align - 1) // align * align
