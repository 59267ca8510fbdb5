"""The key of a track: which major or minor scale its pitch classes fit best."""

from functools import lru_cache

import numpy as np

from pipeline.arrays import Float64
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.features import spectral
from pipeline.features.families import chroma
from pipeline.features.per_track import Moments, one_row
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each pitch class fits a key, from the tonic up by semitones, as listeners judged: C. L. Krumhansl and
E. J. Kessler, "Tracing the dynamic changes in perceived tonal organization", Psychological Review 89, 1982."""

NO_KEY = (-1.0, -1.0, 0.0, 0.0)
"""The row of a track whose pitch classes are all alike, as in silence."""

# Strengths of pitch classes with less than this between them fit no key.
_ALIKE = 1e-6

spec = FeatureSpec(
    name="key",
    version=1,
    title="Key: tonic, mode and how clear it is",
    columns=("tonic", "mode", "strength", "margin"),
    units=("1", "1", "1", "1"),
    row_shape=(4,),
    parameters={**chroma.PARAMETERS, "profiles": "Krumhansl-Kessler 1982"},
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (4,) of the mix at 22,050 Hz.

    - `tonic`: a pitch class, 0 for C to 11 for B.
    - `mode`: 1 for major, 0 for minor.
    - `strength`: Pearson's correlation of the mean chroma with the key's profile, up to 1.
    - `margin`: by how much that is above the next best key's.

    The method is Krumhansl and Schmuckler's (Krumhansl, "Cognitive Foundations of Musical Pitch", 1990, chapter 4). It
    finds one key for a track, also for one that modulates; A is 440 Hz. Silence has tonic and mode -1 and
    strength 0. Raises `TooShortError` for a file shorter than one hop (23 ms).
    """
    del stream  # any rate, any channels
    return _Key()


class _Key:
    def __init__(self) -> None:
        self._samples = 0
        self._moments = Moments(len(chroma.PITCH_CLASSES))

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        self._moments.add(block.once(chroma.pitch_classes))

    def finish(self) -> FeatureRows:
        spectral.check_length(self._samples)
        return one_row(key_of(self._moments.mean()))


def key_of(strengths: Float64) -> Float64:
    """Return tonic, mode (0 minor, 1 major), strength, margin of the strengths of pitch classes from C up, (12,)."""
    swing = strengths - strengths.mean()
    length = float(np.linalg.norm(swing))
    if length < _ALIKE:
        return np.array(NO_KEY)
    fit = _profiles() @ (swing / length)
    order = np.argsort(fit, kind="stable")
    mode, tonic = divmod(int(order[-1]), len(chroma.PITCH_CLASSES))
    return np.array([tonic, mode, fit[order[-1]], fit[order[-1]] - fit[order[-2]]])


@lru_cache(maxsize=1)
def _profiles() -> Float64:
    """Return the 12 minor profiles from C up, then the major ones, without mean, of length 1, (24, 12)."""
    rows = np.array([np.roll(profile, tonic) for profile in (MINOR_PROFILE, MAJOR_PROFILE) for tonic in range(12)])
    rows -= rows.mean(axis=1, keepdims=True)
    unit: Float64 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
