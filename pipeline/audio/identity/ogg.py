"""Ogg: the packets of Vorbis, Opus, Speex and FLAC but for the comments, however they are laid out in pages."""

import hashlib
from typing import NamedTuple

from pipeline.audio.identity.flac import channel_mask
from pipeline.audio.identity.parts import FileBytes, NotParsedError, Parts, Span

_HEADER_BYTES = 27
_SOUND = {b"\x01vorbis": "vorbis", b"OpusHead": "opus", b"Speex   ": "speex", b"\x7fFLAC": "flac"}
_NO_SOUND = (b"\x80theora", b"fishead", b"\x01video", b"\x80kate", b"CMML\0\0\0\0", b"OVP80")
_NO_GRANULE = b"\xff" * 8
"""Of a page in which no packet ends."""
_FRAME = 0xFF
"""The first byte of a FLAC frame: no block of metadata begins with it."""


class _Stream:
    """One logical stream: which of its packets are sound."""

    def __init__(self, first: bytes) -> None:
        self.kind = next((kind for mark, kind in _SOUND.items() if first.startswith(mark)), "")
        if not self.kind and not first.startswith(_NO_SOUND):
            raise NotParsedError("an Ogg stream of a kind that is not known here")
        self.packet = 0
        self.is_comment = False
        self.in_packet = False
        self.headers_done = not self.kind
        self.metadata = bytearray()
        self.lacing = hashlib.sha256()
        self.granule = b""

    def begin_packet(self, first_byte: int) -> None:
        """Decide whether the packet that begins is a comment."""
        if self.kind == "flac":
            self.is_comment = bool(self.packet) and first_byte != _FRAME
            self.headers_done = bool(self.packet) and not self.is_comment
        else:
            self.is_comment = self.packet == 1
            self.headers_done = self.packet > 1
        self.in_packet = True

    def end_packet(self) -> None:
        """Count the packet that ended."""
        self.packet += 1
        self.in_packet = False


class _Page(NamedTuple):
    begins_stream: bool
    granule: bytes
    serial: bytes
    lacing: bytes
    payload: Span


def ogg_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of all streams of sound, chained and multiplexed ones too, in the order of their pages."""
    streams: list[_Stream] = []
    open_streams: dict[bytes, _Stream] = {}
    at = sound.begin
    while at < sound.end:
        page = _page_at(file, at)
        if page is None:
            if not any(stream.kind for stream in streams):
                raise NotParsedError("no stream of sound")
            yield Span(at, sound.end)  # damaged: what follows is taken as it is
            break
        if page.begins_stream or page.serial not in open_streams:
            stream = open_streams[page.serial] = _Stream(file.read(page.payload.begin, 8))
            streams.append(stream)
        yield from _page_parts(file, open_streams[page.serial], page)
        at = page.payload.end
    for stream in streams:
        if stream.kind:
            yield from channel_mask(bytes(stream.metadata))
            # The lengths of the packets, and where the sound ends within the last one.
            yield stream.kind.encode() + stream.lacing.digest() + stream.granule


def _page_at(file: FileBytes, at: int) -> _Page | None:
    """Return the page that begins at a place, or None where none does."""
    head = file.read(at, _HEADER_BYTES)
    if head[:4] != b"OggS" or len(head) < _HEADER_BYTES:
        return None
    lacing = file.read(at + _HEADER_BYTES, head[26])
    begin = at + _HEADER_BYTES + head[26]
    return _Page(bool(head[5] & 2), head[6:14], head[14:18], lacing, Span(begin, begin + sum(lacing)))


def _page_parts(file: FileBytes, stream: _Stream, page: _Page) -> Parts:
    """Yield what is sound of a page."""
    if not stream.kind:
        return
    if page.granule != _NO_GRANULE:
        stream.granule = page.granule
    if stream.headers_done:
        stream.lacing.update(page.lacing)
        yield page.payload
    else:
        yield from _header_page(file, stream, page.lacing, page.payload.begin)


def _header_page(file: FileBytes, stream: _Stream, lacing: bytes, at: int) -> Parts:
    """Yield what is no comment of a page with headers."""
    for segment in lacing:
        if not stream.in_packet:
            stream.begin_packet(file.exact(at, 1)[0] if segment else 0)
        if stream.is_comment:
            if stream.kind == "flac":
                stream.metadata += file.read(at, segment)
        else:
            stream.lacing.update(bytes([segment]))
            yield Span(at, at + segment)
        at += segment
        if segment < 255:
            stream.end_packet()
