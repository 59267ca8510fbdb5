"""How strongly each of the twelve pitch classes sounds: mean and deviation over the frames of a track."""

from functools import lru_cache

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.audio.framing import BINS, N_FFT
from pipeline.features import spectral
from pipeline.features.per_track import STATISTICS, Moments, one_row
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

PITCH_CLASSES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")
A4_HZ = 440.0

_CENTRE_OCTAVE = 5.0
_OCTAVES_WIDTH = 2.0

PARAMETERS: dict[str, float | int | str | bool] = {
    **spectral.PARAMETERS,
    "a4_hz": A4_HZ,
    "centre_octave": _CENTRE_OCTAVE,
    "octaves_width": _OCTAVES_WIDTH,
    "norm": "max",
}
"""What the numbers of families of pitch classes depend on."""

spec = FeatureSpec(
    name="chroma",
    version=1,
    title="Mean and deviation of the twelve pitch classes",
    columns=tuple(f"{name}_{statistic}" for statistic in STATISTICS for name in PITCH_CLASSES),
    units=("1",) * 24,
    row_shape=(24,),
    parameters=PARAMETERS,
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (24,) of the mix at 22,050 Hz: the means of C to B, then their deviations.

    The numbers are those of `librosa.feature.chroma_stft(tuning=0)`: A is 440 Hz, whatever the recording is tuned to;
    in every frame the strongest class is 1, in a silent one all are 0. Raises `TooShortError` for a file shorter than
    one hop (23 ms).
    """
    del stream  # any rate, any channels
    return _Chroma()


class _Chroma:
    def __init__(self) -> None:
        self._samples = 0
        self._moments = Moments(len(PITCH_CLASSES))

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        self._moments.add(block.once(pitch_classes))

    def finish(self) -> FeatureRows:
        spectral.check_length(self._samples)
        return one_row(self._moments.row())


def pitch_classes(block: AudioBlock) -> Float32:
    """Return the strength of each pitch class from C to B, the strongest 1, in a block's frames, (frames, 12)."""
    strengths: Float32 = block.power @ filters()
    strongest = strengths.max(axis=1, keepdims=True)
    # as librosa: what is too small to divide by stays as it is
    strengths /= np.where(strongest > np.finfo(np.float32).tiny, strongest, np.float32(1))
    return strengths


@lru_cache(maxsize=1)
def filters() -> Float32:
    """Return the weight of every bin in every pitch class, (1025, 12).

    Dan Ellis' filters ("Chroma feature analysis and synthesis", 2007), as in `librosa.filters.chroma`: a Gaussian
    around each class, a semitone or a bin wide, the classes of a bin scaled to unit length, the octaves weighted by a
    Gaussian two octaves wide around 880 Hz.
    """
    classes = len(PITCH_CLASSES)
    octave = np.log2(np.arange(1, N_FFT) * (ANALYSIS_RATE_HZ / N_FFT) / (A4_HZ / 16))
    # the bin of 0 Hz counts as one and a half octaves below the next
    octave = np.concatenate([[octave[0] - 1.5], octave])
    width = np.maximum(np.diff(octave * classes), 1)[:BINS, np.newaxis]
    octave = octave[:BINS, np.newaxis]
    # semitones from each class, from A up, to the nearest of its octaves
    distance = np.remainder(octave * classes - np.arange(classes) + classes / 2, classes) - classes / 2
    weights = np.exp(-0.5 * np.square(2 * distance / width))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    weights *= np.exp(-0.5 * np.square((octave - _CENTRE_OCTAVE) / _OCTAVES_WIDTH))
    return np.ascontiguousarray(np.roll(weights, -3, axis=1), np.float32)
