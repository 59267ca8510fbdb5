"""MFCC images of 3 s segments: the input of a small convolutional net (the tutorial `gtzan-cnn`)."""

import numpy as np

from pipeline.audio import ANALYSIS_RATE_HZ, Audio
from pipeline.errors import TooShortError
from pipeline.features import spectral
from pipeline.features.spec import FeatureRows, FeatureSpec

SEGMENT = 66_150
"""Samples of a segment: 3 s at 22,050 Hz, a tenth of a 30 s file."""
COEFFICIENTS = 16
FRAMES = spectral.frame_count(SEGMENT)

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


def compute(audio: Audio) -> FeatureRows:
    """Return one row (130 frames, 16 MFCCs) per whole segment of the mix at 22,050 Hz; a rest is dropped.

    Each segment is framed and clipped (80 dB below its own maximum) by itself: frames of the whole file would
    reach over the cuts. Raises `TooShortError` for a file shorter than one segment.
    """
    mono = audio.mono
    count = len(mono) // SEGMENT
    if not count:
        raise TooShortError(
            f"{len(mono):,} samples at {ANALYSIS_RATE_HZ:,} Hz; a segment needs {SEGMENT:,} "
            f"({SEGMENT / ANALYSIS_RATE_HZ:.0f} s)"
        )
    values = np.empty((count, FRAMES, COEFFICIENTS), np.float32)
    for i in range(count):
        values[i] = spectral.mfcc(mono[i * SEGMENT : (i + 1) * SEGMENT], COEFFICIENTS).T
    return FeatureRows(
        values=values,
        start_s=(np.arange(count) * (SEGMENT / ANALYSIS_RATE_HZ)).astype(np.float32),
        channel=np.full(count, -1, np.int8),
    )
