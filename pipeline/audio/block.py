"""A block of a file's sound, and the analysis of it that the families of a track share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast

from pipeline.arrays import Float32
from pipeline.audio.channels import ChannelNames

Result = TypeVar("Result")

ANALYSIS_RATE_HZ = 22_050
"""The rate of every spectral family: the tutorials' (and librosa's) default."""
BLOCK_S = 4.0
"""Seconds of sound in a block, about: long enough to hide the cost of a call, short enough to stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What is known of a file before its first sample."""

    rate_hz: int
    channels: int
    channel_names: ChannelNames = ()
    """Which channels they are, in the order of WAVE, as `FL FR FC LFE BL BR`; empty where the file does not say."""


class SharedState(Protocol):
    """What carries over from block to block of one stream, for all families at once."""

    def mono(self, block: "AudioBlock") -> Float32:
        """Return the block's part of the mix at 22,050 Hz, (n,)."""

    def framed(self, block: "AudioBlock") -> tuple[Float32, int]:
        """Return the signal of the frames that the block completes, and their number."""

    def power(self, block: "AudioBlock") -> Float32:
        """Return the power of the frames that the block completes, (frames, 1025)."""

    def mel(self, block: "AudioBlock") -> Float32:
        """Return the mel bands of those frames, (frames, 128)."""

    def log_mel(self, block: "AudioBlock") -> Float32:
        """Return the mel bands of those frames in dB, (frames, 128)."""


class AudioBlock:
    """The next piece of a file, and the analysis of it that the families of the track share, computed on first use.

    Valid, with all its arrays, until the next block is made: the decoder may use its buffer again. A family that reads
    one of these reads it in every block, from the first on; what no family reads is not computed.
    The last block of a stream holds no samples, and whatever the ones before it left unfinished.
    """

    def __init__(self, samples: Float32, shared: SharedState, *, last: bool) -> None:
        self.samples = samples
        """(n, channels), float32, full scale 1.0, at the file's own rate."""
        self.last = last
        """Whether the stream ends here."""
        self._shared = shared
        self._computed: dict[Callable[[AudioBlock], Any], Any] = {}

    def once(self, function: Callable[["AudioBlock"], Result]) -> Result:
        """Return a function of this block, computed once for all families.

        The result must not be changed.
        """
        if function not in self._computed:
            self._computed[function] = function(self)
        return cast("Result", self._computed[function])

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
