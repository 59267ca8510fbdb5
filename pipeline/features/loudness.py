"""Twelve loudness features per 0.5 s block and channel (the tutorial `rostock-genre`).

scipy.signal and pyloudnorm are imported when the first file is measured.
"""

from typing import Any

import numpy as np

from pipeline.arrays import Float64
from pipeline.audio import Audio
from pipeline.errors import TooShortError, UnsupportedError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.features.whole import of_audio

BLOCK_S = 0.5
SILENCE_DB = -80.0
LUFS_FLOOR_DB = -70.0
OVERSAMPLING = 4
SPLIT_HZ = 1000
WEIGHTING = "DeMan"
"""pyloudnorm's name for the filters whose coefficients are those of BS.1770 at 48 kHz: a full-scale 997 Hz sine reads
-3.01 LUFS. Its default, "K-weighting", rounds their corner frequencies and reads -3.05."""
MIN_RATE_HZ = 4_000
"""The K-weighting's 1.7 kHz shelf and the band above 1 kHz need to lie below half the rate."""

spec = FeatureSpec(
    name="loudness",
    version=1,
    title="Loudness, peak and crest of 0.5 s blocks",
    columns=(
        "true_peak_lin", "true_peak_lin2", "true_peak_db",
        "rms_lin2", "rms_lin", "rms_db",
        "lufs_lin", "lufs_lin2", "lufs_db",
        "crest_lin", "crest_db", "low_high_ratio",
    ),
    units=("FS", "FS^2", "dBFS", "FS^2", "FS", "dBFS", "1", "1", "LUFS", "1", "dB", "1"),
    row_shape=(12,),
    parameters={
        "block_s": BLOCK_S,
        "silence_db": SILENCE_DB,
        "lufs_floor_db": LUFS_FLOOR_DB,
        "oversampling": OVERSAMPLING,
        "split_hz": SPLIT_HZ,
        "weighting": WEIGHTING,
    },
)  # fmt: skip

# Blocks whose oversampled spectra are held at once: some 30 MB at 44.1 kHz.
_BLOCKS_AT_ONCE = 16


def compute(audio: Audio) -> FeatureRows:
    """Return one row (12,) per channel and block that is not silent, channel by channel, in the order of time.

    Blocks of `int(0.5 * rate)` samples do not overlap; a rest is dropped; a block whose RMS is at or below -80 dBFS
    is skipped, so a silent file has no rows, which is no failure. Computed in float64, stored in float32.
    Raises `TooShortError` for a file shorter than one block, `UnsupportedError` for a rate below 4 kHz.
    """
    rate_hz = audio.sample_rate_hz
    if rate_hz < MIN_RATE_HZ:
        raise UnsupportedError(f"a sample rate of {rate_hz:,} Hz; the loudness measure needs {MIN_RATE_HZ:,} Hz")
    length = int(BLOCK_S * rate_hz)
    count = len(audio.samples) // length
    if not count:
        raise TooShortError(f"{len(audio.samples):,} samples at {rate_hz:,} Hz; a block needs {length:,} (0.5 s)")
    rows: list[Float64] = []
    numbers: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    channels: list[int] = []
    for channel in range(audio.channels):
        for first in range(0, count, _BLOCKS_AT_ONCE):
            last = min(first + _BLOCKS_AT_ONCE, count)
            blocks = audio.samples[first * length : last * length, channel].reshape(-1, length).astype(np.float64)
            heard = np.mean(np.square(blocks), axis=1) > 10 ** (SILENCE_DB / 10)
            if heard.any():
                rows.append(block_features(blocks[heard], rate_hz))
                numbers.append(first + np.flatnonzero(heard))
                channels += [channel] * int(heard.sum())
    if not rows:
        return FeatureRows(
            values=np.empty((0, len(spec.columns)), np.float32),
            start_s=np.empty(0, np.float32),
            channel=np.empty(0, np.int8),
        )
    return FeatureRows(
        values=np.concatenate(rows).astype(np.float32),
        start_s=(np.concatenate(numbers) * (length / rate_hz)).astype(np.float32),
        channel=np.array(channels, np.int8),
    )


def block_features(blocks: Float64, rate_hz: int) -> Float64:
    """Return the twelve features, (blocks, 12), of blocks (blocks, samples) none of which is silent."""
    peak = true_peak(blocks)
    rms_lin2 = np.mean(np.square(blocks), axis=1)
    rms = np.sqrt(rms_lin2)
    lufs = integrated_loudness(blocks, rate_hz)
    lufs_lin2 = 10 ** (lufs / 10)  # of -inf: 0
    crest = peak / rms
    return np.column_stack([
        peak, peak**2, 10 * np.log10(peak**2),
        rms_lin2, rms, 10 * np.log10(rms_lin2),
        np.sqrt(lufs_lin2), lufs_lin2, np.maximum(lufs, LUFS_FLOOR_DB),
        crest, 20 * np.log10(crest), low_high_ratio(blocks, rate_hz),
    ])  # fmt: skip


def true_peak(blocks: Float64) -> Float64:
    """Return the true peak of each block, linear full scale, shape (blocks,).

    4x oversampled by FFT resampling of the block alone, as the tutorial does; the 48-tap filter of BS.1770 annex 2
    gives other numbers.
    """
    from scipy.signal import resample

    peaks: Float64 = np.abs(resample(blocks, OVERSAMPLING * blocks.shape[1], axis=1)).max(axis=1)
    return peaks


def integrated_loudness(blocks: Float64, rate_hz: int) -> Float64:
    """Return the BS.1770 integrated loudness of each block as one front channel, LUFS, -inf where all is gated.

    K-weighting from zero state and gating by pyloudnorm, shape (blocks,).
    """
    import pyloudnorm

    meter = pyloudnorm.Meter(rate_hz, filter_class=WEIGHTING)
    return np.array([meter.integrated_loudness(block) for block in blocks], np.float64)


def low_high_ratio(blocks: Float64, rate_hz: int) -> Float64:
    """Return the energy up to 1 kHz (without the mean) over the energy above it, shape (blocks,).

    Where there is nothing above 1 kHz but the rounding of the transform, the rounding's bound stands in for it:
    the ratio stays finite.
    """
    length = blocks.shape[1]
    split = int(SPLIT_HZ / (rate_hz / length)) + 1
    energy = np.square(np.abs(np.fft.rfft(blocks, axis=1)))
    low = energy[:, 1:split].sum(axis=1)
    high = energy[:, split : length // 2].sum(axis=1)
    rounding = np.finfo(np.float64).eps ** 2 * energy.sum(axis=1)
    ratio: Float64 = low / np.maximum(high, rounding)
    return ratio


start = of_audio(compute)
