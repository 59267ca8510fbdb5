"""Log-mel pictures of whole seconds: what simple classifiers look at (the tutorial `tones`)."""

import numpy as np

from pipeline.audio import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.errors import TooShortError
from pipeline.features import spectral
from pipeline.features.growing import GrowingRows
from pipeline.features.segments import SegmentCutter
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec
from pipeline.framing import frame_count, mel_of_frames

SEGMENT = ANALYSIS_RATE_HZ
"""Samples of a picture: one second."""
FRAMES = frame_count(SEGMENT)

spec = FeatureSpec(
    name="mel_seconds",
    version=1,
    title="Log-mel pictures of whole seconds, 128 bands",
    columns=tuple(f"mel_{i}" for i in range(spectral.MEL_BANDS)),
    units=("dB",) * spectral.MEL_BANDS,
    row_shape=(FRAMES, spectral.MEL_BANDS),
    parameters={**spectral.PARAMETERS, "segment": SEGMENT, "n_mels": spectral.MEL_BANDS, "amin": 1e-10},
)


def start(stream: StreamInfo) -> Accumulator:
    """Return what gathers one row (44 frames, 128 bands) per whole second of the mix at 22,050 Hz; a rest is dropped.

    In dB re 1, not below -100. Each second is framed by itself: frames of the whole file would reach over the cuts.
    Raises `TooShortError` for a file shorter than a second.
    """
    del stream  # any rate, any channels
    return _MelSeconds()


class _MelSeconds:
    def __init__(self) -> None:
        self._segments = SegmentCutter(SEGMENT)
        self._rows = GrowingRows(spec.row_shape)

    def push(self, block: AudioBlock) -> None:
        from pipeline.kernels import mel

        for segment in self._segments.cut(block.mono):
            self._rows.append(mel.decibels(mel_of_frames(segment))[np.newaxis])

    def finish(self) -> FeatureRows:
        count = len(self._rows)
        if not count:
            raise TooShortError(
                f"{self._segments.filled:,} samples at {ANALYSIS_RATE_HZ:,} Hz; a picture needs {SEGMENT:,} (1 s)"
            )
        return FeatureRows(
            values=self._rows.values(),
            start_s=np.arange(count, dtype=np.float32),
            channel=np.full(count, -1, np.int8),
        )
