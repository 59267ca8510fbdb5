"""libsndfile first, and FFmpeg for what it leaves of a file.

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

# Streams of frames, which one can enter anywhere. In other formats the data may well end before the file.
_STREAMS = frozenset({"MP3", "FLAC", "OGG"})
# Less than that may be tags and what the decoder had not fetched yet; it is a second or two of sound at most.
_LEFT_BYTES = 16_384


class FallbackSource:
    """What libsndfile reads of an open descriptor, and FFmpeg after it.

    Both make the same samples at the same places, so that the seam is not heard.
    """

    def __init__(self, descriptor: int) -> None:
        self._first = LibsndfileSource(descriptor)
        self.sample_rate_hz, self.channels = self._first.sample_rate_hz, self._first.channels
        self._descriptor = descriptor
        self._rest: Source | None = None
        self._ended = False
        self._frames = 0

    def read_into(self, block: Float32) -> int:
        """Fill a block from whichever decoder's turn it is."""
        count = 0
        if not self._ended:
            count = self._first.read_into(block)
            self._frames += count
            if count < len(block):
                self._ended = True
                self._rest = self._open_rest()
        if self._rest is not None and count < len(block):
            count += self._rest.read_into(block[count:])
        return count

    def note(self, frames: int) -> str:
        """Return what the decoder that read to the end says."""
        if self._rest is None or frames == self._frames:
            return self._first.note(frames)
        return self._rest.note(frames)

    def close(self) -> None:
        """Close both."""
        self._first.close()
        if self._rest is not None:
            self._rest.close()

    def _open_rest(self) -> Source | None:
        """Return FFmpeg's view of the file after what was read; None when libsndfile saw its end."""
        left = os.fstat(self._descriptor).st_size - os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if left < _LEFT_BYTES or not self._frames or self._first.format not in _STREAMS:
            return None
        # Imported here: most workers never meet a file that needs it.
        from pipeline.audio.decoders.libav import LibavSource

        try:
            rest = LibavSource(self._descriptor)
        except PermanentError:
            return None
        if (rest.sample_rate_hz, rest.channels) != (self.sample_rate_hz, self.channels):
            rest.close()
            return None
        _skip(rest, self._frames)
        return rest


def _skip(source: Source, frames: int) -> None:
    """Read and drop frames."""
    dropped: Float32 = np.empty((source.sample_rate_hz, source.channels), np.float32)
    while frames and (count := source.read_into(dropped[:frames])):
        frames -= count
