"""MFCC images of 3 s segments: the input of a small convolutional net (the tutorial `gtzan-cnn`)."""

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.errors import TooShortError
from pipeline.features import spectral
from pipeline.features.growing import GrowingRows
from pipeline.features.segments import SegmentCutter
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec
from pipeline.framing import frame_count, mel_of_frames

SEGMENT = 66_150
"""Samples of a segment: 3 s at 22,050 Hz, a tenth of a 30 s file."""
COEFFICIENTS = 16
FRAMES = frame_count(SEGMENT)

spec = FeatureSpec(
    name="mfcc_segments",
    version=1,
    title="MFCC images of 3 s segments",
    columns=tuple(f"mfcc_{i}" for i in range(COEFFICIENTS)),
    units=("dB",) * COEFFICIENTS,
    row_shape=(FRAMES, COEFFICIENTS),
    parameters={
        **spectral.PARAMETERS,
        "segment": SEGMENT,
        "n_mfcc": COEFFICIENTS,
        "n_mels": spectral.MEL_BANDS,
        "top_db": spectral.TOP_DB,
    },
)


def start(stream: StreamInfo) -> Accumulator:
    """Return what gathers one row (130 frames, 16 MFCCs) per whole segment of the mix at 22,050 Hz; a rest is dropped.

    Each segment is framed and clipped (80 dB below its own maximum) by itself: frames of the whole file would
    reach over the cuts. Raises `TooShortError` for a file shorter than one segment.
    """
    del stream  # any rate, any channels
    return _MfccSegments()


class _MfccSegments:
    def __init__(self) -> None:
        self._segments = SegmentCutter(SEGMENT)
        self._rows = GrowingRows(spec.row_shape)

    def push(self, block: AudioBlock) -> None:
        for segment in self._segments.cut(block.mono):
            self._rows.append(_mfcc(segment)[np.newaxis])

    def finish(self) -> FeatureRows:
        count = len(self._rows)
        if not count:
            raise TooShortError(
                f"{self._segments.filled:,} samples at {ANALYSIS_RATE_HZ:,} Hz; a segment needs {SEGMENT:,} "
                f"({SEGMENT / ANALYSIS_RATE_HZ:.0f} s)"
            )
        return FeatureRows(
            values=self._rows.values(),
            start_s=(np.arange(count) * (SEGMENT / ANALYSIS_RATE_HZ)).astype(np.float32),
            channel=np.full(count, -1, np.int8),
        )


def _mfcc(segment: Float32) -> Float32:
    """Return the MFCC of a segment, (130, 16)."""
    from pipeline.kernels import mel

    decibels = mel.decibels(mel_of_frames(segment))
    np.maximum(decibels, decibels.max() - np.float32(spectral.TOP_DB), out=decibels)
    row: Float32 = decibels @ mel.cosines(spectral.MEL_BANDS, COEFFICIENTS)
    return row
