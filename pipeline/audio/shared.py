"""What the families of a track share: the resampled mix, its frames' power, their mel bands.

Each is advanced block by block, once, when a family asks for it.
"""

import numpy as np
import soxr

from pipeline.arrays import Float32
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.audio.framing import FrameCutter
from pipeline.kernels import mel, mixing, spectra


class SharedAnalysis:
    """The state behind the blocks of one stream."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self._has_begun = False
        self._read: set[str] = set()
        self._resampler = (
            None
            if info.rate_hz == ANALYSIS_RATE_HZ
            else soxr.ResampleStream(info.rate_hz, ANALYSIS_RATE_HZ, 1, dtype="float32", quality="HQ")
        )
        self._cutter = FrameCutter()

    def mono(self, block: AudioBlock) -> Float32:
        """Return the block's part of the mix at 22,050 Hz, (n,)."""
        self._require_from_start("mono")
        mix = mixing.mean_of_channels(block.samples)
        if self._resampler is None:
            return mix
        # soxr gives the same bits in pieces as in one
        return np.asarray(self._resampler.resample_chunk(mix, last=block.last), np.float32)

    def framed(self, block: AudioBlock) -> tuple[Float32, int]:
        """Return the signal of the frames that the block completes, and their number."""
        self._require_from_start("framed")
        return self._cutter.cut(block.mono, last=block.last)

    def power(self, block: AudioBlock) -> Float32:
        """Return the power of the frames that the block completes, (frames, 1025)."""
        self._read.add("power")
        return spectra.power(*block.framed)

    @staticmethod
    def mel(block: AudioBlock) -> Float32:
        """Return the mel bands of those frames, (frames, 128)."""
        # not of `power`, which no other family may need: this is faster, and the numbers depend on no other family
        return spectra.mel_bands(*block.framed)

    @staticmethod
    def log_mel(block: AudioBlock) -> Float32:
        """Return the mel bands of those frames in dB, (frames, 128)."""
        return mel.decibels(block.mel)

    def catch_up(self, block: AudioBlock) -> None:
        """Compute what families read of earlier blocks and have not read of this one, so that no block is left out."""
        for name in tuple(self._read):
            getattr(block, name)
        self._has_begun = True

    def _require_from_start(self, name: str) -> None:
        if self._has_begun and name not in self._read:
            raise RuntimeError(f"a block's {name} was first asked for in the middle of a stream")
        self._read.add(name)
