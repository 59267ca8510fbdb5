"""Statistics over time of 40 MFCCs: what they are, how much they vary, how fast. One vector per track."""

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.audio.framing import HOP
from pipeline.features import slopes, spectral
from pipeline.features.per_track import Moments, in_pieces, one_row
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

COEFFICIENTS = 40
STATISTICS = ("mean", "std", "delta_std", "delta2_std")

_SPILL_BYTES = 16 * 2**20
_LEAST_SAMPLES = (slopes.WIDTH - 1) * HOP

spec = FeatureSpec(
    name="mfcc_stats",
    version=1,
    title="Mean, deviation and speed of 40 MFCCs",
    columns=tuple(f"mfcc_{i}_{statistic}" for statistic in STATISTICS for i in range(COEFFICIENTS)),
    units=("dB",) * (len(STATISTICS) * COEFFICIENTS),
    row_shape=(len(STATISTICS) * COEFFICIENTS,),
    parameters={
        **spectral.PARAMETERS,
        "n_mfcc": COEFFICIENTS,
        "n_mels": spectral.MEL_BANDS,
        "top_db": spectral.TOP_DB,
        "delta_width": slopes.WIDTH,
    },
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (160,) of the mix at 22,050 Hz, statistic by statistic.

    The MFCCs are those of `librosa.feature.mfcc(n_mfcc=40)`; their mean and deviation over the frames, then the
    deviations of their slopes and of their curvatures (`librosa.feature.delta`, orders 1 and 2). Raises
    `TooShortError` for a file shorter than the nine frames that a slope needs (4096 samples at 22,050 Hz, 186 ms).
    """
    del stream  # any rate, any channels
    return _MfccStats()


class _MfccStats:
    def __init__(self) -> None:
        self._samples = 0
        # The floor under the decibels depends on the loudest band of all: until it is known, they are kept.
        self._decibels = RowBuffer((spectral.MEL_BANDS,), spill_bytes=_SPILL_BYTES)

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        self._decibels.append(block.log_mel)

    def finish(self) -> FeatureRows:
        from pipeline.kernels import mel

        spectral.check_length(self._samples, _LEAST_SAMPLES)
        cosines = mel.cosines(spectral.MEL_BANDS, COEFFICIENTS)
        floor = np.float32(self._decibels.maximum() - spectral.TOP_DB)
        frames = Moments(COEFFICIENTS)
        changes = [_Slopes(1), _Slopes(2)]
        for part in in_pieces(self._decibels):
            coefficients = np.maximum(part, floor) @ cosines
            frames.add(coefficients)
            for change in changes:
                change.add(coefficients)
        return one_row(np.concatenate([frames.row(), *(change.std() for change in changes)]))


class _Slopes:
    """The deviation of slopes or curvatures of frames that come piece by piece."""

    def __init__(self, order: int) -> None:
        self._order = order
        self._moments = Moments(COEFFICIENTS)
        self._last = np.empty((0, COEFFICIENTS))

    def add(self, frames: Float32) -> None:
        """Count in the next frames, (n, 40)."""
        half = slopes.WIDTH // 2
        has_history = len(self._last) == slopes.WIDTH
        joined = np.concatenate([self._last, frames])
        self._last = joined[-slopes.WIDTH :]
        if len(joined) < slopes.WIDTH:
            return
        derivative = slopes.slope(joined, self._order)
        # The outermost nine frames also give the slopes of the frames on their outer side. The slope of the frame in
        # the middle of the nine that were kept has been counted.
        self._moments.add(derivative[half + 1 if has_history else 0 : -half])

    def std(self) -> Float64:
        """Return the deviation over all frames, (40,); no frame is added after this."""
        self._moments.add(slopes.slope(self._last, self._order)[-(slopes.WIDTH // 2) :])
        return self._moments.std()
