"""MFCC images of 3 s segments: the input of a small convolutional net (the tutorial `gtzan-cnn`)."""

from pipeline.arrays import Float32
from pipeline.audio.block import StreamInfo
from pipeline.audio.framing import mel_of_frames
from pipeline.features import spectral
from pipeline.features.segmented import FRAMES, SEGMENT, SegmentRows, clip_range
from pipeline.features.spec import Accumulator, FeatureSpec

COEFFICIENTS = 16

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
    """Return the accumulator of one row (130 frames, 16 MFCCs) per whole segment of the mix at 22,050 Hz.

    Each segment is framed and clipped (80 dB below its own maximum) by itself: frames of the whole file would
    reach over the cuts. Raises `TooShortError` for a file shorter than one segment.
    """
    del stream  # any rate, any channels
    return SegmentRows(spec.row_shape, _row)


def _row(segment: Float32) -> Float32:
    """Return the MFCC of a segment, (130, 16)."""
    from pipeline.kernels import mel

    row: Float32 = clip_range(mel.decibels(mel_of_frames(segment))) @ mel.cosines(spectral.MEL_BANDS, COEFFICIENTS)
    return row
