"""The fingerprint of a recording: bits that stay the same from one encoding to the next.

After J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002: whether the difference
between neighbouring bands rises or falls. Chromaprint, the common library, is no package for Python but a program or a
shared library of the system, and the mel bands are there anyway: these bits cost a hundredth of an extraction.
"""

import numpy as np

from pipeline.arrays import Float32, Float64, UInt32
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.audio.framing import HOP
from pipeline.features import spectral
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

BITS = 24
"""Bits of a word: as many as a float32 holds as a whole number."""
WORDS = 8
"""Words of a row."""
STEP = 5
"""Frames from one word to the next: 116 ms."""
WORD_S = STEP * HOP / ANALYSIS_RATE_HZ

_FIRST_BAND = 12
_BANDS_TOGETHER = 3
_END_BAND = _FIRST_BAND + _BANDS_TOGETHER * (BITS + 1)
"""The mel bands from 310 Hz to 3.6 kHz, which every bit rate keeps."""
_WINDOW = 4
"""Steps that are averaged: 464 ms, so that half a step earlier or later is nearly the same."""
_LAG = 4
"""Steps over which a rise or fall is measured."""
_LEAST_POWER = 1e-10
_FLOOR = 10**-4.5
"""Of the power in the loudest band: what is 45 dB below it encoders leave out, and its bits would be those of noise."""
_LEAST_LEVEL_DB = -100.0

spec = FeatureSpec(
    name="fingerprint",
    version=1,
    title="Bits that find the same music in another encoding",
    columns=(*(f"word_{i}" for i in range(WORDS)), "level"),
    units=(*("1",) * WORDS, "dB"),
    row_shape=(WORDS + 1,),
    parameters={
        **spectral.PARAMETERS,
        "n_mels": spectral.MEL_BANDS,
        "bands": f"{_FIRST_BAND}:{_END_BAND}:{_BANDS_TOGETHER}",
        "step": STEP,
        "window": _WINDOW,
        "lag": _LAG,
        "floor": _FLOOR,
    },
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (9,) per 0.93 s of the mix at 22,050 Hz.

    - `word_0` to `word_7`: whole numbers of 24 bits, one per 116 ms. A bit is 1 where the level of a band, relative to
      that of the band above, rises within 464 ms; 25 bands from 310 Hz to 3.6 kHz. Silence is 0, and so are the last
      0.9 s, which are looked ahead.
    - `level`: of these bands, dB, not below -100.

    Raises `TooShortError` for a file shorter than one hop (23 ms).
    """
    del stream  # any rate, any channels
    return _Fingerprint()


class _Fingerprint:
    def __init__(self) -> None:
        self._samples = 0
        self._tail = np.empty((0, BITS + 1), np.float32)
        self._steps = RowBuffer((BITS + 1,))

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        bands = block.mel[:, _FIRST_BAND:_END_BAND].reshape(-1, BITS + 1, _BANDS_TOGETHER).sum(axis=2)
        frames = np.concatenate([self._tail, bands])
        complete = len(frames) // STEP
        self._tail = frames[complete * STEP :].copy()
        self._steps.append(frames[: complete * STEP].reshape(complete, STEP, BITS + 1).sum(axis=1))

    def finish(self) -> FeatureRows:
        spectral.check_length(self._samples)
        steps = self._steps.values().astype(np.float64)
        count = max(-(-len(steps) // WORDS), 1)
        words = np.zeros(count * WORDS)
        words[: max(len(steps) - _WINDOW - _LAG + 1, 0)] = _words(steps)
        values = np.concatenate([words.reshape(count, WORDS), _levels(steps, count)], axis=1)
        return FeatureRows(
            values=values.astype(np.float32),
            start_s=(np.arange(count) * (WORDS * WORD_S)).astype(np.float32),
            channel=np.full(count, -1, np.int8),
        )


def _words(steps: Float64) -> Float64:
    """Return the word that begins at each step, (n,), of the power in the bands of all steps, (m, 25)."""
    sums = np.cumsum(np.concatenate([np.zeros((1, BITS + 1)), steps]), axis=0)
    power = sums[_WINDOW:] - sums[:-_WINDOW]
    # silence has no loudest band: a least number, so that all its differences are 0
    levels = np.log(power + np.maximum(_FLOOR * power.max(axis=1, keepdims=True, initial=0), np.finfo(np.float64).tiny))
    differences = levels[:, :-1] - levels[:, 1:]
    words: Float64 = (differences[_LAG:] > differences[:-_LAG]) @ (2.0 ** np.arange(BITS))
    return words


def _levels(steps: Float64, count: int) -> Float64:
    """Return the level of each row in dB, (count, 1); that of the last one over what it has."""
    power = np.array([steps[row * WORDS : (row + 1) * WORDS].sum() for row in range(count)])
    power /= np.clip(len(steps) - WORDS * np.arange(count), 1, WORDS)
    levels: Float64 = np.maximum(10 * np.log10(np.maximum(power, _LEAST_POWER)), _LEAST_LEVEL_DB)
    return levels[:, np.newaxis]


def words_of(values: Float32) -> UInt32:
    """Return the words of a file's rows (n, 9) as whole numbers, (m,), up to the last that is not silence."""
    words: UInt32 = values[:, :WORDS].astype(np.uint32).reshape(-1)
    return words[: np.flatnonzero(words)[-1] + 1] if words.any() else words[:0]


def levels_of(values: Float32) -> Float32:
    """Return the level at each of these words, dB, (m,)."""
    levels: Float32 = np.repeat(values[:, WORDS], WORDS)[: len(words_of(values))]
    return levels
