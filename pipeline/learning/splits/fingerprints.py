"""Fingerprints of recordings: one vector, nearly independent of the level, from features that are stored anyway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.features.registry import family

Summary = Callable[[Float32, tuple[str, ...]], Float64]
"""From a family's rows (n, *row_shape), n at least 1, and its column names to a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A family by which recordings are compared."""

    family: str
    limit: float
    """Below this distance two recordings count as one.

    Distance: the mean over the columns of the difference in standard deviations within a class, each at most 3. Limits
    were chosen on 415 sounds (five-second clips of everyday sounds, ten-second pieces of music): 85 of them
    re-encoded (MP3 at middle and at lowest quality, Vorbis, Opus, another rate, mono), made louder or softer by up to
    20 dB, cut by 0.1 s. Among 86,000 pairs the only ones that came that close were two clips published under different
    sources that are evidently one recording. Clips of one steady noise do count as one.
    """
    summary: Summary

    def vector(self, values: Float32) -> Float64 | None:
        """Return the vector of a recording's rows (n, *row_shape); None without rows, or with others than expected."""
        spec = family(self.family).spec
        if not len(values) or values.shape[1:] != spec.row_shape:
            return None
        sound = values[np.isfinite(values.reshape(len(values), -1)).all(axis=1)]
        return self.summary(sound, spec.columns) if len(sound) else None


def _statistics(values: Float32, columns: tuple[str, ...]) -> Float64:
    """Return a track's statistics, mel bands relative to the loudest and without the mean of the level."""
    vector = values.mean(axis=0, dtype=np.float64)
    mel = np.array([name.startswith("mel_") for name in columns])
    loudest = np.array([name.startswith("mel_") and name.endswith("_max") for name in columns])
    vector[mel] -= vector[loudest].mean()
    statistics: Float64 = vector[np.array([name != "mfcc_0_mean" for name in columns])]
    return statistics


def _timbre(values: Float32, columns: tuple[str, ...]) -> Float64:
    """Return a track's coefficients without the first one's mean, the level; matrices by mean and deviation."""
    if values.ndim == 2:
        vector: Float64 = values.mean(axis=0, dtype=np.float64)[1:]
        return vector
    frames = values.reshape(-1, len(columns)).astype(np.float64)
    return np.concatenate([frames.mean(axis=0)[1:], frames.std(axis=0)])


def _bands(values: Float32, columns: tuple[str, ...]) -> Float64:
    """Return the mean and the deviation of each band over the frames, the mean relative to that of all bands."""
    del columns
    mean = values.mean(axis=0, dtype=np.float64)
    return np.concatenate([mean - mean.mean(), values.std(axis=0, dtype=np.float64)])


FINGERPRINTS: Mapping[str, Fingerprint] = MappingProxyType(
    {
        fingerprint.family: fingerprint
        for fingerprint in (
            Fingerprint(family="frame_stats", limit=0.15, summary=_statistics),
            Fingerprint(family="mfcc_stats", limit=0.12, summary=_timbre),
            Fingerprint(family="mfcc_mean", limit=0.08, summary=_timbre),
            Fingerprint(family="mfcc_segments", limit=0.12, summary=_timbre),
            Fingerprint(family="logmel", limit=0.1, summary=_bands),
        )
    }
)
"""The families by which recordings are compared, those with the shortest rows first; others distinguish too little."""
