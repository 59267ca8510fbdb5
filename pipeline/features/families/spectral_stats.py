"""The shape of the spectrum over a track: where its weight lies, how wide, how tonal; and zero crossings."""

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.audio.framing import frame_count
from pipeline.features import spectral
from pipeline.features.frame_features import CONTRAST_COUNT, ROLLOFF_SHARE, SignChanges, spectral_shapes
from pipeline.features.per_track import STATISTICS, Moments, in_pieces, one_row
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

FEATURES = {
    "centroid": "Hz", "bandwidth": "Hz", "rolloff": "Hz", "flatness": "1", "zcr": "1",
    **{f"contrast_{i}": "dB" for i in range(CONTRAST_COUNT)},
}  # fmt: skip
"""Names and units of the features of a frame."""

_SPILL_BYTES = 16 * 2**20
# The kernel's columns: centroid, bandwidth, roll-off, the logarithm of flatness, level, then contrast.
_FLATNESS, _CONTRAST = 3, 5
_LEAST_FLATNESS = 1e-10
_LEAST_MAGNITUDE = 1e-10

spec = FeatureSpec(
    name="spectral_stats",
    version=2,
    title="Mean and deviation of centroid, bandwidth, roll-off, flatness, contrast and zero crossings",
    columns=tuple(f"{name}_{statistic}" for statistic in STATISTICS for name in FEATURES),
    units=tuple(FEATURES.values()) * len(STATISTICS),
    row_shape=(len(STATISTICS) * len(FEATURES),),
    parameters={**spectral.PARAMETERS, "rolloff_share": ROLLOFF_SHARE, "top_db": spectral.TOP_DB},
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (24,) of the mix at 22,050 Hz: the means of `FEATURES`, then their deviations.

    The numbers of a frame are those of librosa with its defaults (`spectral_centroid`, `spectral_bandwidth`,
    `spectral_rolloff` at 85 %, `spectral_flatness`, `zero_crossing_rate`, `spectral_contrast`), all frames count alike,
    silent ones too. As librosa's, the transform is float64: contrast depends on what is far below the loudest bin of
    a frame, as that just below 11 kHz which resampling leaves. Raises `TooShortError` for a file shorter than one hop
    (23 ms).
    """
    del stream  # any rate, any channels
    return _SpectralStats()


class _SpectralStats:
    def __init__(self) -> None:
        self._samples = 0
        self._moments = Moments(_FLATNESS + 1)
        # The floor under the contrast depends on the loudest frame of all: until it is known, all are kept.
        self._contrast = RowBuffer((2 * CONTRAST_COUNT,), spill_bytes=_SPILL_BYTES)
        self._crossings = SignChanges()

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        shapes = block.once(spectral_shapes)
        values = shapes[:, : _FLATNESS + 1].astype(np.float64)
        values[:, _FLATNESS] = np.maximum(10 ** values[:, _FLATNESS] - _LEAST_FLATNESS, _LEAST_FLATNESS)
        self._moments.add(values)
        self._contrast.append(shapes[:, _CONTRAST:])
        self._crossings.push(block.mono)

    def finish(self) -> FeatureRows:
        spectral.check_length(self._samples)
        crossings = self._crossings.rate(frame_count(self._samples))
        floors = self._contrast_floors()
        contrast = Moments(CONTRAST_COUNT)
        for part in in_pieces(self._contrast):
            peaks, valleys = np.split(np.maximum(_decibels_of(part), floors), 2, axis=1)
            contrast.add(peaks - valleys)
        means = [self._moments.mean(), [crossings.mean()], contrast.mean()]
        deviations = [self._moments.std(), [crossings.std()], contrast.std()]
        return one_row(np.concatenate([*means, *deviations]))

    def _contrast_floors(self) -> Float64:
        """Return librosa's floors, 80 dB under the loudest peak and the loudest valley, of all 14 columns, dB."""
        highest = np.max([part.max(axis=0) for part in in_pieces(self._contrast)], axis=0)
        loudest = _decibels_of(highest).reshape(2, CONTRAST_COUNT).max(axis=1)
        return np.repeat(loudest - spectral.TOP_DB, CONTRAST_COUNT)


def _decibels_of(magnitude: Float32) -> Float64:
    """Return magnitudes as librosa's contrast has them: 10 log10."""
    decibels: Float64 = 10 * np.log10(np.maximum(magnitude, _LEAST_MAGNITUDE, dtype=np.float64))
    return decibels
