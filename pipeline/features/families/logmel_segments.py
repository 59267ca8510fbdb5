"""Log-mel images of 3 s segments: the input of a convolutional net over bands and time."""

from pipeline.arrays import Float32
from pipeline.audio.block import StreamInfo
from pipeline.audio.framing import power_of_frames
from pipeline.features import spectral
from pipeline.features.segmented import FRAMES, SEGMENT, SegmentRows, clip_range
from pipeline.features.spec import Accumulator, FeatureSpec

BANDS = 64

spec = FeatureSpec(
    name="logmel_segments",
    version=1,
    title="Log-mel images of 3 s segments, 64 bands",
    columns=tuple(f"mel_{i}" for i in range(BANDS)),
    units=("dB",) * BANDS,
    row_shape=(FRAMES, BANDS),
    parameters={**spectral.PARAMETERS, "segment": SEGMENT, "n_mels": BANDS, "top_db": spectral.TOP_DB},
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (130 frames, 64 bands) per whole segment of the mix at 22,050 Hz.

    Decibels re 1; each segment is framed and clipped (80 dB below its own maximum) by itself. Raises `TooShortError`
    for a file shorter than one segment.
    """
    del stream  # any rate, any channels
    return SegmentRows(spec.row_shape, _row)


def _row(segment: Float32) -> Float32:
    """Return the mel bands of a segment in dB, (130, 64)."""
    from pipeline.kernels import mel

    return clip_range(mel.decibels(mel.bands(power_of_frames(segment), BANDS)))
