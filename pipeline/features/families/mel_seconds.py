"""Log-mel images of whole seconds: the input of simple classifiers (the tutorial `tones`)."""

from pipeline.arrays import Float32
from pipeline.audio.block import ANALYSIS_RATE_HZ, StreamInfo
from pipeline.audio.framing import frame_count, mel_of_frames
from pipeline.features import spectral
from pipeline.features.segmented import SegmentRows
from pipeline.features.spec import Accumulator, FeatureSpec

SEGMENT = ANALYSIS_RATE_HZ
"""Samples of an image: one second."""
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
    """Return the accumulator of one row (44 frames, 128 bands) per whole second of the mix at 22,050 Hz.

    In dB re 1, not below -100. Each second is framed by itself: frames of the whole file would reach over the cuts.
    Raises `TooShortError` for a file shorter than a second.
    """
    del stream  # any rate, any channels
    return SegmentRows(spec.row_shape, _row, length=SEGMENT)


def _row(segment: Float32) -> Float32:
    """Return the log-mel image of a second, (44, 128)."""
    from pipeline.kernels import mel

    row: Float32 = mel.decibels(mel_of_frames(segment))
    return row
