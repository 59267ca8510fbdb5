"""Decoded audio, and the one resampled mix that several families share."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import soxr

from pipeline.arrays import Float32

ANALYSIS_RATE_HZ = 22_050
"""The rate of every spectral family: the tutorials' (and librosa's) default."""


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

    @cached_property
    def mono(self) -> Float32:
        """The mean of all channels at 22,050 Hz, resampled by soxr HQ, shape (n,).

        Computed once and shared by every spectral family of the track.
        """
        mix = self.samples.mean(axis=1, dtype=np.float32) if self.channels > 1 else self.samples[:, 0]
        if self.sample_rate_hz == ANALYSIS_RATE_HZ:
            return np.ascontiguousarray(mix)
        resampled: Float32 = soxr.resample(mix, self.sample_rate_hz, ANALYSIS_RATE_HZ, quality="HQ")
        return resampled
