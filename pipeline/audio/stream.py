"""A file's sound as the stream of blocks that all families of the track share, and as a whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.block import BLOCK_S, AudioBlock, StreamInfo
from pipeline.audio.channels import ChannelNames


class AudioStream:
    """Makes blocks of a file's samples, for one pass."""

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.frames = 0
        """Samples of each channel so far."""

    def blocks(self, pieces: Iterable[Float32]) -> Iterator[AudioBlock]:
        """Yield a block for each piece (n, channels) of any size, and the last one."""
        from pipeline.audio.shared import SharedAnalysis

        shared = SharedAnalysis(self.info)
        for piece in pieces:
            if not len(piece):
                continue
            self.frames += len(piece)
            block = AudioBlock(piece, shared, last=False)
            yield block
            shared.catch_up(block)
        yield AudioBlock(np.empty((0, self.info.channels), np.float32), shared, last=True)


@dataclass(frozen=True, kw_only=True)
class Audio:
    """A decoded file: `samples` (frames, channels), float32, full scale 1.0, at its native rate."""

    samples: Float32
    sample_rate_hz: int
    note: str = field(default="")
    """What the decoder reported of the file, empty when it reported nothing."""
    channel_names: ChannelNames = ()
    """Which channels they are, in the order of WAVE; empty where the file does not say."""

    @property
    def duration_s(self) -> float:
        """Seconds of sound."""
        return len(self.samples) / self.sample_rate_hz

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[1])

    @property
    def info(self) -> StreamInfo:
        """Rate and channels."""
        return StreamInfo(rate_hz=self.sample_rate_hz, channels=self.channels, channel_names=self.channel_names)

    def pieces(self) -> Iterator[Float32]:
        """Yield the samples in pieces of about four seconds."""
        step = max(int(BLOCK_S * self.sample_rate_hz), 1)
        for first in range(0, len(self.samples), step):
            yield self.samples[first : first + step]

    @cached_property
    def mono(self) -> Float32:
        """The mean of all channels at 22,050 Hz, resampled by soxr HQ, shape (n,)."""
        return np.concatenate([block.mono for block in AudioStream(self.info).blocks(self.pieces())])
