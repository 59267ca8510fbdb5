"""Power spectra of frames, and their mel bands without the spectra in between."""

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.kernels import mel, transform
from pipeline.kernels.compilation import kernel
from pipeline.kernels.transform import BINS, LANES, power_tile

_HOP = 512


def power(signal: Float32, frames: int) -> Float32:
    """Return the power of the first frames of a signal, (frames, 1025); the first begins with the signal.

    Transformed in float64, every bin is exact to float32's last digit, also one far below the loudest of its frame.
    """
    out = np.empty((frames, BINS), np.float32)
    kind = np.float64
    _power(signal, transform.workspace(kind), transform.tables(kind), transform.new_tile(kind), out)
    return out


def mel_bands(signal: Float32, frames: int, count: int = 128) -> Float32:
    """Return the power in each mel band of the first frames of a signal, (frames, bands)."""
    out = np.empty((frames, count), np.float32)
    kind = np.float32
    constants, tile = transform.tables(kind), transform.new_tile(kind)
    _mel_bands(signal, transform.workspace(kind), constants, tile, *mel.edges(count), out)
    return out


@kernel
def _power(signal: Float32, work: Float64, constants: tuple[Float64, ...], tile: Float64, out: Float32) -> None:
    for start in range(0, len(out), LANES):
        power_tile(signal[start * _HOP :], work, constants, tile)
        for first in range(0, BINS, 16):
            for f in range(min(LANES, len(out) - start)):
                row = out[start + f, first : first + 16]
                for k in range(len(row)):
                    row[k] = tile[(first + k) * LANES + f]


@kernel
def _mel_bands(
    signal: Float32,
    work: Float32,
    constants: tuple[Float32, ...],
    tile: Float32,
    first: Int64,
    steps: Int64,
    weights: Float32,
    out: Float32,
) -> None:
    sums = np.zeros(LANES, np.float32)
    for start in range(0, len(out), LANES):
        power_tile(signal[start * _HOP :], work, constants, tile)
        mel.sum_bands(tile, first, steps, weights, sums, out[start : start + LANES])
