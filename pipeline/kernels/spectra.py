"""Power spectra of frames, and their mel bands without the spectra in between."""

import numpy as np
from scipy import fft

from pipeline.arrays import Complex64, Float32, Int64
from pipeline.kernels import mel, transform
from pipeline.kernels.compiling import kernel
from pipeline.kernels.transform import LANES, WINDOW, power_tile

_N_FFT = 2048
_HOP = 512
# Frames transformed at once, with their spectra in the nearest caches.
_AT_ONCE = 32
# Rows a power of two apart would fall on the same cache lines.
_PADDING = 16


def power(signal: Float32, frames: int) -> Float32:
    """Return the power of the first frames of a signal, (frames, 1025); the first begins with the signal."""
    found = np.empty((frames, _N_FFT // 2 + 1), np.float32)
    windowed = np.empty((min(frames, _AT_ONCE), _N_FFT + _PADDING), np.float32)[:, :_N_FFT]
    for first in range(0, frames, _AT_ONCE):
        part = windowed[: min(_AT_ONCE, frames - first)]
        _cut(signal[first * _HOP :], WINDOW, part)
        _squared(fft.rfft(part, axis=1), found[first : first + len(part)])
    return found


def mel_bands(signal: Float32, frames: int, count: int = 128) -> Float32:
    """Return the power in each mel band of the first frames of a signal, (frames, bands)."""
    found = np.empty((frames, count), np.float32)
    _mel_bands(signal, transform.workspace(), transform.tables(), transform.new_tile(), *mel.edges(count), found)
    return found


@kernel
def _cut(signal: Float32, window: Float32, windowed: Float32) -> None:
    for f in range(len(windowed)):
        row = windowed[f]
        frame = signal[f * _HOP : f * _HOP + _N_FFT]
        for i in range(_N_FFT):
            row[i] = frame[i] * window[i]


@kernel
def _squared(spectrum: Complex64, found: Float32) -> None:
    for f in range(len(found)):
        row = spectrum[f]
        power = found[f]
        for k in range(len(power)):
            power[k] = row[k].real * row[k].real + row[k].imag * row[k].imag


@kernel
def _mel_bands(
    signal: Float32,
    work: Float32,
    constants: tuple[Float32, ...],
    tile: Float32,
    first: Int64,
    steps: Int64,
    weights: Float32,
    found: Float32,
) -> None:
    sums = np.zeros(LANES, np.float32)
    for start in range(0, len(found), LANES):
        power_tile(signal[start * _HOP :], work, constants, tile)
        mel.sum_bands(tile, first, steps, weights, sums, found[start : start + LANES])
