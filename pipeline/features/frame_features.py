"""What `frame_stats` hears in each frame: MFCC, mel bands, the shape of the spectrum, contrast and level.

With librosa's numbers, but block by block: the spectrum of a long recording never lies in memory as a whole.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.audio import ANALYSIS_RATE_HZ
from pipeline.features import spectral

MFCC_COUNT = 40
MEL_COUNT = 40
SHAPES = {"zcr": "1", "centroid": "kHz", "bandwidth": "kHz", "rolloff": "kHz", "log_flatness": "1", "flux": "dB"}
"""Names and units of the rows of `Frames.shape`."""
CONTRAST_COUNT = 7
"""Bands of spectral contrast: 0 to 200 Hz, then six octaves."""

_CONTRAST_FROM_HZ = 200.0
_CONTRAST_SHARE = 0.02
_ROLLOFF_SHARE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The features of all frames of a signal, each (rows, frames)."""

    mfcc: Float32
    """(40, frames), dB."""
    mel: Float32
    """40 mel bands, dB re 1, at most 80 dB below their maximum."""
    shape: Float64
    """(6, frames): see `SHAPES`."""
    contrast: Float64
    """(7, frames), dB: peaks over valleys in each band."""
    rms: Float64
    """(1, frames), full scale, of the windowed frames."""


def analyse(mono: Float32) -> Frames:
    """Return the frame features of a signal (n,) at 22,050 Hz."""
    power128, power40, shapes, peaks, valleys, levels = [], [], [], [], [], []
    for magnitude in spectral.magnitude_blocks(mono):
        power128.append(spectral.mel_power(magnitude, spectral.MEL_BANDS))
        power40.append(spectral.mel_power(magnitude, MEL_COUNT))
        shapes.append(_spectral_shape(magnitude))
        peak, valley = _extremes(magnitude)
        peaks.append(peak)
        valleys.append(valley)
        levels.append(_level(magnitude))
    mel = spectral.mel_decibels(np.concatenate(power40, axis=1), top_db=spectral.TOP_DB)
    decibels = spectral.mel_decibels(np.concatenate(power128, axis=1), top_db=spectral.TOP_DB)
    return Frames(
        mfcc=spectral.mfcc_of_decibels(decibels, MFCC_COUNT),
        mel=mel,
        shape=np.concatenate([_zero_crossing_rate(mono), np.concatenate(shapes, axis=1), _flux(mel)]),
        # librosa's floor, 80 dB below the loudest peak and the loudest valley of the whole signal
        contrast=_decibels(np.concatenate(peaks, axis=1)) - _decibels(np.concatenate(valleys, axis=1)),
        rms=np.concatenate(levels, axis=1),
    )


def _spectral_shape(magnitude: Float32) -> Float64:
    """Return centroid, bandwidth and 85 % roll-off in kHz and log10 of the flatness, (4, frames)."""
    from librosa import feature

    centroid = feature.spectral_centroid(S=magnitude, sr=ANALYSIS_RATE_HZ)
    bandwidth = feature.spectral_bandwidth(S=magnitude, sr=ANALYSIS_RATE_HZ, centroid=centroid)
    rolloff = feature.spectral_rolloff(S=magnitude, sr=ANALYSIS_RATE_HZ, roll_percent=_ROLLOFF_SHARE)
    flatness = np.log10(feature.spectral_flatness(S=magnitude) + 1e-10)
    return np.concatenate([centroid / 1000, bandwidth / 1000, rolloff / 1000, flatness])


def _zero_crossing_rate(mono: Float32) -> Float64:
    """Return the share of samples in each centred frame at which the sign changes, (1, frames).

    As librosa's: the ends go on, values under 1e-10 count as zero, zero counts as positive.
    """
    half = spectral.N_FFT // 2
    padded = np.pad(mono, half, mode="edge")
    negative = padded < -1e-10
    changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
    starts = np.arange(spectral.frame_count(len(mono))) * spectral.HOP
    rate: Float64 = (changes[starts + spectral.N_FFT - 1] - changes[starts]) / spectral.N_FFT
    return rate[np.newaxis]


def _flux(mel: Float32) -> Float64:
    """Return the mean rise over the mel bands from the frame before, dB, (1, frames); 0 in the first."""
    rise = np.maximum(np.diff(mel, axis=1), 0).mean(axis=0, dtype=np.float64)
    return np.concatenate([[0.0], rise])[np.newaxis]


def _level(magnitude: Float32) -> Float64:
    """Return the RMS of each windowed frame by Parseval's theorem, (1, frames)."""
    from librosa import feature

    return np.asarray(feature.rms(S=magnitude, frame_length=spectral.N_FFT), np.float64)


def _extremes(magnitude: Float32) -> tuple[Float64, Float64]:
    """Return the mean of the highest and of the lowest 2 % of bins in each contrast band, each (7, frames)."""
    peaks, valleys = [], []
    for first, last, count in _contrast_bands():
        band = magnitude[first:last]
        ordered = np.sort(band, axis=0)
        valleys.append(ordered[:count].mean(axis=0, dtype=np.float64))
        peaks.append(ordered[-count:].mean(axis=0, dtype=np.float64))
    return np.stack(peaks), np.stack(valleys)


@lru_cache(maxsize=1)
def _contrast_bands() -> tuple[tuple[int, int, int], ...]:
    """Return first bin, bin after the last, and bins averaged, for each contrast band, as librosa's choice falls.

    A band takes in the bin below it; but for the topmost, its last bin is left out of the sorting and counted for
    the share.
    """
    frequencies = np.arange(spectral.N_FFT // 2 + 1) * (ANALYSIS_RATE_HZ / spectral.N_FFT)
    edges = [0.0, *(_CONTRAST_FROM_HZ * 2.0**octave for octave in range(CONTRAST_COUNT))]
    bands = []
    for k in range(CONTRAST_COUNT):
        inside = np.flatnonzero((frequencies >= edges[k]) & (frequencies <= edges[k + 1]))
        topmost = k == CONTRAST_COUNT - 1
        first = int(inside[0]) - (k > 0)
        end = len(frequencies) if topmost else int(inside[-1]) + 1
        bands.append((first, end if topmost else end - 1, max(int(np.rint(_CONTRAST_SHARE * (end - first))), 1)))
    return tuple(bands)


def _decibels(values: Float64) -> Float64:
    import librosa

    decibels: Float64 = librosa.power_to_db(values)
    return decibels
