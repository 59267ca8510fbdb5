"""Decoded audio: as a whole, and as the stream of blocks that all families of a track share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from pipeline.arrays import Float32

if TYPE_CHECKING:
    from pipeline.sharing import Shared

Told = TypeVar("Told")

ANALYSIS_RATE_HZ = 22_050
"""The rate of every spectral family: the tutorials' (and librosa's) default."""
BLOCK_S = 4.0
"""Seconds of sound in a block, about: long enough to hide the cost of a call, short enough to stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What is known of a file before its first sample."""

    rate_hz: int
    channels: int


class AudioBlock:
    """The next piece of a file, and what the families of the track share of it, computed when first asked for.

    Valid, with all its arrays, until the next block is made: the decoder may use its buffer again. A family that asks
    for one of these asks in every block, from the first on; nobody pays for what no family asks for.
    The last block of a stream holds no samples, and whatever the ones before it left unfinished.
    """

    def __init__(self, samples: Float32, shared: "Shared", *, last: bool) -> None:
        self.samples = samples
        """(n, channels), float32, full scale 1.0, at the file's own rate."""
        self.last = last
        """Whether the stream ends here."""
        self._shared = shared
        self._told: dict[Callable[[AudioBlock], Any], Any] = {}

    def once(self, function: Callable[["AudioBlock"], Told]) -> Told:
        """Return what a function says of this block, computed once for all families that ask.

        Nobody may change what it returns.
        """
        if function not in self._told:
            self._told[function] = function(self)
        return cast("Told", self._told[function])

    @cached_property
    def mono(self) -> Float32:
        """The next samples of the mean of all channels at 22,050 Hz, (n,); joined, as if resampled in one."""
        return self._shared.mono(self)

    @cached_property
    def framed(self) -> tuple[Float32, int]:
        """A signal at 22,050 Hz, and how many frames it has from its first sample on: those this block completes.

        Frames are librosa's: 2048 samples every 512 of `mono`, centred, zeros outside.
        """
        return self._shared.framed(self)

    @cached_property
    def power(self) -> Float32:
        """The power spectra of the frames that this block completes, with a periodic Hann window, (frames, 1025)."""
        return self._shared.power(self)

    @cached_property
    def mel(self) -> Float32:
        """The power in 128 mel bands (Slaney's) of the frames that this block completes, (frames, 128)."""
        return self._shared.mel(self)

    @cached_property
    def log_mel(self) -> Float32:
        """`mel` in dB re 1, not below -100, (frames, 128)."""
        return self._shared.log_mel(self)


class AudioStream:
    """Makes blocks of a file's samples, for one pass."""

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.frames = 0
        """Samples of each channel so far."""

    def blocks(self, pieces: Iterable[Float32]) -> Iterator[AudioBlock]:
        """Yield a block for each piece (n, channels) of any size, and the last one."""
        from pipeline.sharing import Shared

        shared = Shared(self.info)
        for piece in pieces:
            if not len(piece):
                continue
            self.frames += len(piece)
            block = AudioBlock(piece, shared, last=False)
            yield block
            shared.settle(block)
        yield AudioBlock(np.empty((0, self.info.channels), np.float32), shared, last=True)


@dataclass(frozen=True, kw_only=True)
class Audio:
    """A decoded file: `samples` (frames, channels), float32, full scale 1.0, at its native rate."""

    samples: Float32
    sample_rate_hz: int
    note: str = field(default="")
    """What the decoder had to say of the file, empty when there was nothing."""

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
        return StreamInfo(rate_hz=self.sample_rate_hz, channels=self.channels)

    def pieces(self) -> Iterator[Float32]:
        """Yield the samples in pieces of about four seconds."""
        step = max(int(BLOCK_S * self.sample_rate_hz), 1)
        for first in range(0, len(self.samples), step):
            yield self.samples[first : first + step]

    @cached_property
    def mono(self) -> Float32:
        """The mean of all channels at 22,050 Hz, resampled by soxr HQ, shape (n,)."""
        return np.concatenate([block.mono for block in AudioStream(self.info).blocks(self.pieces())])
