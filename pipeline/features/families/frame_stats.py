"""Statistics over time of frame features: one vector per track, for small nets and classic models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.audio.framing import N_FFT
from pipeline.audio.stream import AudioStream
from pipeline.features import envelope, frame_features, slopes, spectral
from pipeline.features.frame_features import ColumnsOf, FrameAccumulator, Frames
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

PADDED = 66_150
"""Samples up to which a shorter signal is filled with silence: 3 s, enough for every slope and lag."""
BAND_ENVELOPES = 8
"""Envelopes whose modulation is measured: five mel bands each."""

# The columns whose statistics are computed at once: some 30 MB, however long the recording.
_NUMBERS_AT_ONCE = 4_000_000

Statistic = Callable[[Float64], Float64]

STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "mean": lambda frames: np.mean(frames, axis=0),
        "std": lambda frames: np.std(frames, axis=0),
        "delta_std": lambda frames: np.std(slopes.slope(frames, 1), axis=0),
        "delta2_std": lambda frames: np.std(slopes.slope(frames, 2), axis=0),
        "p10": lambda frames: np.percentile(frames, 10, axis=0),
        "p90": lambda frames: np.percentile(frames, 90, axis=0),
        "max": lambda frames: np.max(frames, axis=0),
    }
)
"""The statistics of frame features (frames, k): a function to (k,), by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticGroup:
    """Statistics of one group of frame features: statistic by statistic, each for all its columns."""

    columns: ColumnsOf
    units: Mapping[str, str]
    """Unit of each column, by name."""
    statistics: tuple[str, ...]

    def values(self, frames: Frames) -> list[Float64]:
        """Return the numbers, statistic by statistic."""
        step = max(_NUMBERS_AT_ONCE // len(frames.shapes), 1)
        numbers: dict[str, list[Float64]] = {name: [] for name in self.statistics}
        for first in range(0, len(self.units), step):
            part = np.asarray(self.columns(frames, slice(first, first + step)), np.float64, order="F")
            for name, values in numbers.items():
                values.append(STATISTICS[name](part))
        return [number for values in numbers.values() for number in values]


TABLE = (
    StatisticGroup(
        columns=Frames.mfcc,
        units={f"mfcc_{i}": "dB" for i in range(frame_features.MFCC_COUNT)},
        statistics=("mean", "std", "delta_std", "delta2_std"),
    ),
    StatisticGroup(
        columns=Frames.mel,
        units={f"mel_{i}": "dB" for i in range(frame_features.MEL_COUNT)},
        statistics=("p10", "p90", "max"),
    ),
    StatisticGroup(
        columns=Frames.shape,
        units=frame_features.SHAPES,
        statistics=("mean", "std"),
    ),
    StatisticGroup(
        columns=Frames.contrast,
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
        for group in TABLE
        for statistic in group.statistics
        for name, unit in group.units.items()
    }
    columns |= {f"level_{name}": unit for name, unit in envelope.LEVELS.items()}
    columns |= {f"{name}_modulation_{octave}": "1" for name in _MODULATED for octave in octaves}
    columns |= {f"level_repetition_{name}": "1" for name in envelope.REPETITION}
    columns |= {f"band_{i}_modulation_{octave}": "1" for i in range(BAND_ENVELOPES) for octave in octaves}
    return columns


spec = FeatureSpec(
    name="frame_stats",
    version=2,
    title="Statistics over time of timbre, spectrum and level",
    columns=tuple(_columns()),
    units=tuple(_columns().values()),
    row_shape=(len(_columns()),),
    parameters={
        **spectral.PARAMETERS,
        "n_mels": spectral.MEL_BANDS,
        "top_db": spectral.TOP_DB,
        "delta_width": slopes.WIDTH,
        "padded": PADDED,
        "level_floor_db": envelope.LEVEL_FLOOR_DB,
    },
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (389,) of the file, in the order of `spec.columns`.

    A signal under 3 s is padded with silence. Raises `TooShortError` for a file shorter than one frame (2048 samples
    at 22,050 Hz, 93 ms).
    """
    del stream  # any rate, any channels
    return _FrameStats()


class _FrameStats:
    def __init__(self) -> None:
        self._accumulator = FrameAccumulator()
        # Kept as long as it may have to be padded.
        self._short: list[Float32] = []

    def push(self, block: AudioBlock) -> None:
        self._accumulator.push(block)
        if self._accumulator.samples < PADDED:
            self._short.append(block.mono.copy())
        else:
            self._short.clear()

    def finish(self) -> FeatureRows:
        samples = self._accumulator.samples
        spectral.check_length(samples, N_FFT)
        accumulator = self._accumulator
        if samples < PADDED:
            padded = np.concatenate([*self._short, np.zeros(PADDED - samples, np.float32)])
            accumulator = FrameAccumulator()
            for block in AudioStream(StreamInfo(rate_hz=ANALYSIS_RATE_HZ, channels=1)).blocks([padded[:, np.newaxis]]):
                accumulator.push(block)
        frames = accumulator.finish()
        values = [number for group in TABLE for number in group.values(frames)]
        values += _envelope_statistics(frames)
        return FeatureRows(
            values=np.concatenate(values)[np.newaxis].astype(np.float32),
            start_s=np.zeros(1, np.float32),
            channel=np.full(1, -1, np.int8),
        )


def _envelope_statistics(frames: Frames) -> list[Float64]:
    """Return the statistics of the envelopes of the level and of the bands, in the order of the columns."""
    rms = frames.rms
    level, loudest_db = envelope.relative_level(rms)
    amplitude = rms / max(float(rms.max()), 1e-9)
    width = frame_features.MEL_COUNT // BAND_ENVELOPES
    bands = (
        frames.mel(slice(i * width, (i + 1) * width)).mean(axis=1, dtype=np.float64) for i in range(BAND_ENVELOPES)
    )
    return [
        envelope.level_statistics(level, loudest_db),
        *(envelope.modulation_spectrum(each) for each in (level, amplitude)),
        envelope.repetition(level),
        *(envelope.modulation_spectrum(each) for each in bands),
    ]
