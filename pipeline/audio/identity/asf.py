"""ASF (WMA): the properties of the streams and the packets; mutagen and others rewrite the header before them."""

from collections.abc import Iterator
from uuid import UUID

from pipeline.audio.identity.parts import FileBytes, NotParsedError, Parts, Span

HEADER = UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_DATA = UUID("75b22636-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_FILE_PROPERTIES = UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le
_STREAM_PROPERTIES = UUID("b7dc0791-a9b7-11cf-8ee6-00c00c205365").bytes_le
_DATA_HEADER_BYTES = 50


def asf_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of an ASF file."""
    header_bytes = file.number(sound.begin + 16, 8)
    for name, begin, end in _objects(file, Span(sound.begin + 30, sound.begin + header_bytes)):
        if name == _FILE_PROPERTIES:
            yield file.exact(begin + 56, 8) + file.exact(begin + 68, 8)  # preroll and packet size
        elif name == _STREAM_PROPERTIES:
            yield file.exact(begin, min(end - begin, 65_536))
    for name, begin, end in _objects(file, Span(sound.begin + header_bytes, sound.end)):
        if name == _DATA:
            yield Span(begin - 24 + _DATA_HEADER_BYTES, file.size if end == begin else end)


def _objects(file: FileBytes, within: Span) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each object, and where its content begins and ends."""
    at = within.begin
    while at + 24 <= min(within.end, file.size):
        length = file.number(at + 16, 8)
        if length < 24:
            raise NotParsedError("an object without a length")
        yield file.exact(at, 16), at + 24, at + length
        at += length
