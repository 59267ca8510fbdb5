"""Frames, mel bands and MFCC at 22,050 Hz, with librosa's defaults and librosa's numbers, in bounded memory.

librosa is imported when the first file is analysed: a worker that computes no spectral family never pays for it.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio import ANALYSIS_RATE_HZ
from pipeline.errors import TooShortError

N_FFT = 2048
HOP = 512
MEL_BANDS = 128
TOP_DB = 80.0
"""librosa's MFCC hears nothing further than this below the loudest mel band of the signal."""

# The spectrum of a long recording would be gigabytes; its mel bands are a twentieth.
_FRAMES_AT_ONCE = 4096


def check_length(mono: Float32, needed: int = HOP) -> None:
    """Raise `TooShortError` for a signal (n,) of fewer samples than needed, by default one hop (23 ms)."""
    if len(mono) < needed:
        raise TooShortError(
            f"{len(mono):,} samples at {ANALYSIS_RATE_HZ:,} Hz; {needed:,} are needed "
            f"({1000 * needed / ANALYSIS_RATE_HZ:.0f} ms)"
        )


def frame_count(samples: int) -> int:
    """Return how many centred frames a signal of so many samples has: one per hop, and one."""
    return 1 + samples // HOP


def magnitude_blocks(mono: Float32) -> Iterator[Float32]:
    """Yield the magnitudes of a signal's centred Hann frames, (1025, frames), some thousand frames at a time.

    Joined, they are `abs(librosa.stft(mono))`: the signal is padded with half a frame of zeros at both ends.
    """
    import librosa

    frames = frame_count(len(mono))
    padded = np.zeros((frames - 1) * HOP + N_FFT, np.float32)
    held = min(len(mono), len(padded) - N_FFT // 2)
    padded[N_FFT // 2 : N_FFT // 2 + held] = mono[:held]
    for first in range(0, frames, _FRAMES_AT_ONCE):
        last = min(first + _FRAMES_AT_ONCE, frames)
        part = padded[first * HOP : (last - 1) * HOP + N_FFT]
        spectrum = librosa.stft(part, n_fft=N_FFT, hop_length=HOP, center=False)
        yield np.abs(spectrum)


def mel_power(magnitude: Float32, bands: int = MEL_BANDS) -> Float32:
    """Return the power in each mel band (Slaney's scale and area), (bands, frames), of magnitudes (1025, frames)."""
    power: Float32 = _mel_filters(bands) @ np.square(magnitude)
    return power


def mel_spectrogram(mono: Float32) -> Float32:
    """Return the power in 128 mel bands, (128, frames), as `librosa.feature.melspectrogram` does."""
    return np.concatenate([mel_power(block) for block in magnitude_blocks(mono)], axis=1)


def mel_decibels(power: Float32, *, top_db: float | None) -> Float32:
    """Return a mel power spectrogram in dB re 1, never below -100 dB nor `top_db` below its own maximum."""
    import librosa

    decibels: Float32 = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=top_db)
    return decibels


def mfcc(mono: Float32, count: int) -> Float32:
    """Return the first MFCCs of each frame, (count, frames), as `librosa.feature.mfcc` does at 22,050 Hz."""
    return mfcc_of_decibels(mel_decibels(mel_spectrogram(mono), top_db=TOP_DB), count)


def mfcc_of_decibels(decibels: Float32, count: int) -> Float32:
    """Return the first MFCCs (orthonormal DCT-II over bands) of mel bands in dB, (count, frames)."""
    from scipy.fft import dct

    coefficients: Float32 = dct(decibels, axis=0, type=2, norm="ortho")[:count]
    return coefficients


@lru_cache(maxsize=4)
def _mel_filters(bands: int) -> Float32:
    """Return librosa's mel filter bank, (bands, 1025)."""
    import librosa

    filters: Float32 = librosa.filters.mel(sr=ANALYSIS_RATE_HZ, n_fft=N_FFT, n_mels=bands)
    return filters


PARAMETERS: dict[str, float | int | str | bool] = {
    "rate_hz": ANALYSIS_RATE_HZ,
    "n_fft": N_FFT,
    "hop": HOP,
    "window": "hann",
    "pad": "constant",
    "resampler": "soxr HQ",
    "mel": "slaney",
}
"""What every spectral family's numbers depend on."""
