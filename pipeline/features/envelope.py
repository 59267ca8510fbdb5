"""How a level moves over time: its spread, its modulation in octaves of rate, its repetition."""

from itertools import pairwise

import numpy as np

from pipeline.arrays import Float64
from pipeline.audio.block import ANALYSIS_RATE_HZ
from pipeline.audio.framing import HOP

LEVEL_FLOOR_DB = -80.0
"""The floor of a level, relative to the loudest frame."""
LEVELS = {
    "mean": "dB", "std": "dB", "p5": "dB", "p25": "dB", "p50": "dB", "p75": "dB", "p95": "dB",
    "above_20": "1", "above_40": "1", "above_60": "1", "skew": "1", "kurtosis": "1",
    "step_std": "dB", "step_mean": "dB", "rise_max": "dB", "drop_max": "dB", "max": "dBFS",
}  # fmt: skip
"""Names and units of what `level_statistics` returns."""

OCTAVES_HZ = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Lower edges of the octaves of modulation."""

REPETITION = ("max", "min", "lag1", "lag2", "lag4", "lag8")
"""Names of what `repetition` returns."""

_LAGS = slice(4, 86)  # 0.1 to 2 s


def relative_level(rms: Float64) -> tuple[Float64, float]:
    """Return the level (frames,) in dB below the loudest frame, floored at -80 dB, and that frame's own, dBFS."""
    level = 20 * np.log10(np.maximum(rms, 1e-5))
    loudest = float(level.max())
    return np.maximum(level - loudest, LEVEL_FLOOR_DB), loudest


def level_statistics(level: Float64, loudest_db: float) -> Float64:
    """Return what `LEVELS` names of a relative level (frames,), shape (17,)."""
    steps = np.diff(level)
    return np.array([
        level.mean(), level.std(), *np.percentile(level, [5, 25, 50, 75, 95]),
        *((level > -below).mean() for below in (20, 40, 60)),
        _moment(level, 3), _moment(level, 4) - 3 * (level.std() > _STEADY),
        steps.std(), np.abs(steps).mean(), max(steps.max(), 0.0), max(-steps.min(), 0.0), loudest_db,
    ])  # fmt: skip


_STEADY = 1e-8


def _moment(values: Float64, order: int) -> float:
    """Return a standardised central moment, 0 for values that do not vary."""
    deviation = values.std()
    if deviation <= _STEADY:
        return 0.0
    return float(np.mean((values - values.mean()) ** order) / deviation**order)


def modulation_spectrum(envelope: Float64) -> Float64:
    """Return log10 of the share of each octave of rate in the modulation of an envelope (frames,), shape (6,).

    One Hann window over the whole track; -4 stands for none.
    """
    swing = (envelope - envelope.mean()) * np.hanning(len(envelope))
    energy = np.square(np.abs(np.fft.rfft(swing)))
    rate_hz = np.fft.rfftfreq(len(envelope), HOP / ANALYSIS_RATE_HZ)
    edges = np.searchsorted(rate_hz, [*OCTAVES_HZ, 2 * OCTAVES_HZ[-1]])
    octaves = [energy[low:high].sum() for low, high in pairwise(edges)]
    shares: Float64 = np.array(octaves) / (energy.sum() + 1e-9)
    return np.log10(shares + 1e-4)


def repetition(level: Float64) -> Float64:
    """Return what `REPETITION` names of the autocorrelation of a level (frames,): extremes over 0.1 to 2 s, and lags.

    Needs at least 86 frames.
    """
    swing = level - level.mean()
    energy = np.square(np.abs(np.fft.rfft(swing, 2 * len(swing))))
    correlation = np.fft.irfft(energy)[: len(swing)]
    correlation /= correlation[0] + 1e-9
    lags = correlation[_LAGS]
    return np.array([lags.max(), lags.min(), *correlation[[1, 2, 4, 8]]])
