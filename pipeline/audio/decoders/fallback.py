"""libsndfile first, and FFmpeg from where it stops.

libsndfile stops before the end of more files than one would think: MP3s without a frame count (no Xing, Info or VBRI
header), whose length it guesses from the first frame and which it then reads 10 s of 60 s; MP3s whose rate or channel
count changes; FLACs with one damaged frame. FFmpeg goes on after all of these.
"""

import os
from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.boundaries.flac_frames import agree_with_header
from pipeline.audio.boundaries.links import READ_AHEAD_BYTES, starts_of_links
from pipeline.audio.boundaries.mpeg_frames import has_mpeg_frames
from pipeline.audio.decoders.base import Findings, Source
from pipeline.audio.decoders.libsndfile import LibsndfileSource
from pipeline.errors import PermanentError

# Streams of frames, which can be decoded from any frame on. In other formats the data may well end before the file.
_STREAMS = frozenset({"MP3", "FLAC", "OGG"})
# Less than that may be a tag, and is a moment of sound.
_MIN_UNREAD_BYTES = 1_024
# Formats of which libsndfile reads on behind the end of the first file.
_OVERREAD = (b"riff", b"Creative Voice ")


def is_read_whole(descriptor: int) -> bool:
    """Return whether libsndfile makes of the first stream of a file what is in it: else FFmpeg reads it."""
    if os.pread(descriptor, 16, 0).startswith(_OVERREAD):
        return not starts_of_links(descriptor)
    if agree_with_header(descriptor):
        return True
    links = starts_of_links(descriptor)  # whose frames are not of the first one
    return bool(links) and agree_with_header(descriptor, end=links[0])


class FallbackSource:
    """What libsndfile reads of an open descriptor, and FFmpeg after it.

    Both make the same samples at the same places, so that the change of decoder is inaudible.
    """

    def __init__(self, descriptor: int) -> None:
        self._first = LibsndfileSource(descriptor)
        self.layout = self._first.layout
        self._descriptor = descriptor
        self._fallback: Source | None = None
        self._ended = False
        self._fault = ""
        self._links: Sequence[int] = ()

    def read_into(self, block: Float32) -> int:
        """Fill a block from libsndfile, and from FFmpeg after its end."""
        count = 0
        if not self._ended:
            count = self._first.read_into(block)
            if count < len(block):
                self._ended = True
                self._fallback = self._open_fallback()
        if self._fallback is not None and count < len(block):
            count += self._fallback.read_into(block[count:])
        return count

    def seek(self, frame: int) -> bool:
        """Go to a frame where libsndfile can."""
        return not self._ended and self._first.seek(frame)

    def links(self) -> Sequence[int]:
        """Return at which bytes further streams begin, after the end of this one; they are not read here."""
        return self._links

    def findings(self, frames: int) -> Findings:
        """Return the findings of the decoder that read to the end."""
        if self._fallback is not None and frames > self._first.frames:
            return self._fallback.findings(frames)
        findings = self._first.findings(frames)
        if not self._fault:
            return findings
        return Findings(
            declared_s=findings.declared_s, is_short=findings.is_short, reasons=(*findings.reasons, self._fault)
        )

    def close(self) -> None:
        """Close both."""
        self._first.close()
        if self._fallback is not None:
            self._fallback.close()

    def _open_fallback(self) -> Source | None:
        """Return FFmpeg behind the frames that were read; None when libsndfile read to the end of the stream."""
        if not self._first.frames:
            return None
        at = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        is_mpeg = self._first.format == "MP3"
        if not is_mpeg:
            self._links = starts_of_links(self._descriptor, begin=max(0, at - READ_AHEAD_BYTES))
        end = self._links[0] if self._links else os.fstat(self._descriptor).st_size
        if self._first.format not in _STREAMS or end - at < _MIN_UNREAD_BYTES:
            return None
        if is_mpeg and not has_mpeg_frames(self._descriptor, at):
            return None
        # Imported here: most workers never meet a file that needs it.
        from pipeline.audio.decoders.conversion import in_layout
        from pipeline.audio.decoders.libav import LibavSource

        try:
            source = in_layout(LibavSource(self._descriptor, end=end), self.layout)
        except PermanentError as error:
            self._fault = f"{end - at:,} bytes behind that could not be decoded: {error}"
            return None
        _skip(source, self._first.frames)
        # Of MP3 there are frames: what FFmpeg makes nothing of is not what nobody needs.
        self._fault = f"{end - at:,} bytes behind that could not be decoded" if is_mpeg else ""
        return source


def _skip(source: Source, frames: int) -> None:
    """Read and drop frames."""
    dropped: Float32 = np.empty((source.layout.rate_hz, source.layout.channels), np.float32)
    while frames and (count := source.read_into(dropped[:frames])):
        frames -= count
