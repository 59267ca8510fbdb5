"""Ogg: the packets of Vorbis, Opus, Speex and FLAC but for the comments, however they are laid out in pages."""

import hashlib

from pipeline.audio.identity.flac import channel_mask
from pipeline.audio.identity.parts import FileBytes, NotParsedError, Parts, Span

_HEADER_BYTES = 27
_SOUND = {b"\x01vorbis": "vorbis", b"OpusHead": "opus", b"Speex   ": "speex", b"\x7fFLAC": "flac"}
_NO_SOUND = (b"\x80theora", b"fishead", b"\x01video", b"\x80kate", b"CMML\0\0\0\0", b"OVP80")
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


def ogg_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of all streams of sound, chained and multiplexed ones too, in the order of their pages."""
    streams: dict[bytes, _Stream] = {}
    ended: list[_Stream] = []
    at = sound.begin
    while at < sound.end:
        head = file.read(at, _HEADER_BYTES)
        if head[:4] != b"OggS" or len(head) < _HEADER_BYTES:
            if not any(stream.kind for stream in streams.values()):
                raise NotParsedError("no stream of sound")
            yield Span(at, sound.end)  # damaged: what follows is taken as it is
            break
        lacing = file.read(at + _HEADER_BYTES, head[26])
        payload, length = at + _HEADER_BYTES + head[26], sum(lacing)
        serial = head[14:18]
        if head[5] & 2 or serial not in streams:
            if serial in streams:
                ended.append(streams[serial])
            streams[serial] = _Stream(file.read(payload, 8))
        stream = streams[serial]
        if stream.kind:
            if stream.headers_done:
                stream.lacing.update(lacing)
                yield Span(payload, payload + length)
            else:
                yield from _header_page(file, stream, lacing, payload)
            if head[6:14] != b"\xff" * 8:
                stream.granule = head[6:14]
        at = payload + length
    for stream in [*ended, *streams.values()]:
        if stream.kind:
            yield from channel_mask(bytes(stream.metadata))
            # The lengths of the packets, and where the sound ends within the last one.
            yield stream.kind.encode() + stream.lacing.digest() + stream.granule


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
