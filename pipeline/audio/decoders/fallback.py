"""libsndfile first, and FFmpeg from where it stops.

libsndfile stops before the end of more files than one would think: MP3s without a frame count (no Xing, Info or VBRI
header), whose length it guesses from the first frame and which it then reads 10 s of 60 s; FLACs with one damaged
frame; recordings of radio, one Ogg stream behind the other. FFmpeg goes on after all of these.
"""

import os

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.decoders.base import Source
from pipeline.audio.decoders.libsndfile import LibsndfileSource
from pipeline.errors import PermanentError

# Streams of frames, which can be decoded from any frame on. In other formats the data may well end before the file.
_STREAMS = frozenset({"MP3", "FLAC", "OGG"})
# Less than that may be tags and what the decoder had not fetched yet; it is a second or two of sound at most.
_MIN_UNREAD_BYTES = 16_384


class FallbackSource:
    """What libsndfile reads of an open descriptor, and FFmpeg after it.

    Both make the same samples at the same places, so that the change of decoder is inaudible.
    """

    def __init__(self, descriptor: int) -> None:
        self._first = LibsndfileSource(descriptor)
        self.sample_rate_hz, self.channels = self._first.sample_rate_hz, self._first.channels
        self._descriptor = descriptor
        self._fallback: Source | None = None
        self._ended = False
        self._frames = 0

    def read_into(self, block: Float32) -> int:
        """Fill a block from libsndfile, and from FFmpeg after its end."""
        count = 0
        if not self._ended:
            count = self._first.read_into(block)
            self._frames += count
            if count < len(block):
                self._ended = True
                self._fallback = self._open_fallback()
        if self._fallback is not None and count < len(block):
            count += self._fallback.read_into(block[count:])
        return count

    def seek(self, frame: int) -> bool:
        """Go to a frame where libsndfile can."""
        if self._ended or not self._first.seek(frame):
            return False
        self._frames = frame
        return True

    def note(self, frames: int) -> str:
        """Return the note of the decoder that read to the end."""
        if self._fallback is None or frames == self._frames:
            return self._first.note(frames)
        return self._fallback.note(frames)

    def close(self) -> None:
        """Close both."""
        self._first.close()
        if self._fallback is not None:
            self._fallback.close()

    def _open_fallback(self) -> Source | None:
        """Return FFmpeg behind the frames that were read; None when libsndfile read to the end of the file."""
        unread_bytes = os.fstat(self._descriptor).st_size - os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if unread_bytes < _MIN_UNREAD_BYTES or not self._frames or self._first.format not in _STREAMS:
            return None
        # Imported here: most workers never meet a file that needs it.
        from pipeline.audio.decoders.libav import LibavSource

        try:
            source = LibavSource(self._descriptor)
        except PermanentError:
            return None
        if (source.sample_rate_hz, source.channels) != (self.sample_rate_hz, self.channels):
            source.close()
            return None
        _skip(source, self._frames)
        return source


def _skip(source: Source, frames: int) -> None:
    """Read and drop frames."""
    dropped: Float32 = np.empty((source.sample_rate_hz, source.channels), np.float32)
    while frames and (count := source.read_into(dropped[:frames])):
        frames -= count
