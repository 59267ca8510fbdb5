"""Statistics over time of frame features: one vector per track, for small nets and classic models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.audio import Audio
from pipeline.features import envelope, frame_features, spectral
from pipeline.features.frame_features import Frames
from pipeline.features.spec import FeatureRows, FeatureSpec

DELTA_WIDTH = 9
"""Frames of librosa's delta, a Savitzky-Golay slope."""
PADDED = 66_150
"""Samples up to which a shorter signal is filled with silence: 3 s, enough for every slope and lag."""
BAND_ENVELOPES = 8
"""Envelopes whose modulation is told: five mel bands each."""

Statistic = Callable[[Float64 | Float32], Float64]


def _delta_deviation(order: int) -> Statistic:
    """Return the statistic "standard deviation of the delta of that order"."""

    def deviation(frames: Float64 | Float32) -> Float64:
        import librosa

        slope = librosa.feature.delta(frames, width=DELTA_WIDTH, order=order)
        deviations: Float64 = np.std(slope, axis=1, dtype=np.float64)
        return deviations

    return deviation


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "mean": lambda frames: np.mean(frames, axis=1, dtype=np.float64),
        "std": lambda frames: np.std(frames, axis=1, dtype=np.float64),
        "delta_std": _delta_deviation(1),
        "delta2_std": _delta_deviation(2),
        "p10": lambda frames: np.percentile(frames, 10, axis=1),
        "p90": lambda frames: np.percentile(frames, 90, axis=1),
        "max": lambda frames: np.max(frames, axis=1),
    }
)
"""What can be told of frame features (k, frames): a function to (k,), by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Statistics of one group of frame features: statistic by statistic, each for all its rows."""

    rows: Callable[[Frames], Float64 | Float32]
    units: Mapping[str, str]
    """Unit of each row, by name."""
    statistics: tuple[str, ...]


TABLE = (
    Told(
        rows=lambda frames: frames.mfcc,
        units={f"mfcc_{i}": "dB" for i in range(frame_features.MFCC_COUNT)},
        statistics=("mean", "std", "delta_std", "delta2_std"),
    ),
    Told(
        rows=lambda frames: frames.mel,
        units={f"mel_{i}": "dB" for i in range(frame_features.MEL_COUNT)},
        statistics=("p10", "p90", "max"),
    ),
    Told(rows=lambda frames: frames.shape, units=frame_features.SHAPES, statistics=("mean", "std")),
    Told(
        rows=lambda frames: frames.contrast,
        units={f"contrast_{i}": "dB" for i in range(frame_features.CONTRAST_COUNT)},
        statistics=("mean", "std"),
    ),
)
"""The columns that are a statistic of a frame feature; those of the envelopes follow."""

_MODULATED = ("level", "amplitude")


def _columns() -> dict[str, str]:
    """Return the unit of every column, by name, in order."""
    octaves = [f"{low:g}hz" for low in envelope.OCTAVES_HZ]
    columns = {
        f"{name}_{statistic}": unit
        for told in TABLE
        for statistic in told.statistics
        for name, unit in told.units.items()
    }
    columns |= {f"level_{name}": unit for name, unit in envelope.LEVELS.items()}
    columns |= {f"{name}_modulation_{octave}": "1" for name in _MODULATED for octave in octaves}
    columns |= {f"level_repetition_{name}": "1" for name in envelope.REPETITION}
    columns |= {f"band_{i}_modulation_{octave}": "1" for i in range(BAND_ENVELOPES) for octave in octaves}
    return columns


spec = FeatureSpec(
    name="frame_stats",
    version=1,
    title="Statistics over time of timbre, spectrum and level",
    columns=tuple(_columns()),
    units=tuple(_columns().values()),
    row_shape=(len(_columns()),),
    parameters={
        **spectral.PARAMETERS,
        "n_mels": spectral.MEL_BANDS,
        "top_db": spectral.TOP_DB,
        "delta_width": DELTA_WIDTH,
        "padded": PADDED,
        "level_floor_db": envelope.LEVEL_FLOOR_DB,
    },
)


def compute(audio: Audio) -> FeatureRows:
    """Return one row (389,) for the file, in the order of `spec.columns`; a signal under 3 s is padded with silence.

    Raises `TooShortError` for a file shorter than one frame (2048 samples at 22,050 Hz, 93 ms).
    """
    mono = audio.mono
    spectral.check_length(mono, spectral.N_FFT)
    if len(mono) < PADDED:
        mono = np.pad(mono, (0, PADDED - len(mono)))
    frames = frame_features.analyse(mono)
    told = [STATISTICS[name](group.rows(frames)) for group in TABLE for name in group.statistics]
    told += _envelope_statistics(frames)
    return FeatureRows(
        values=np.concatenate(told)[np.newaxis].astype(np.float32),
        start_s=np.zeros(1, np.float32),
        channel=np.full(1, -1, np.int8),
    )


def _envelope_statistics(frames: Frames) -> list[Float64]:
    """Return what is told of the level's course and of the bands', in the order of the columns."""
    rms = frames.rms[0]
    level, loudest_db = envelope.relative_level(rms)
    amplitude = rms / max(float(rms.max()), 1e-9)
    bands = frames.mel.reshape(BAND_ENVELOPES, -1, frames.mel.shape[1]).mean(axis=1, dtype=np.float64)
    return [
        envelope.level_statistics(level, loudest_db),
        envelope.modulation_spectrum(np.stack([level, amplitude])).ravel(),
        envelope.repetition(level),
        envelope.modulation_spectrum(bands).ravel(),
    ]
