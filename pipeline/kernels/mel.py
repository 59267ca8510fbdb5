"""Mel bands of power spectra, and MFCC of mel bands."""

from functools import lru_cache

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.kernels.compiling import kernel

_RATE_HZ = 22_050
_BINS = 1025
# Frames side by side in one vector.
_LANES = 16


def bands(power: Float32, count: int = 128) -> Float32:
    """Return the power in each mel band, (frames, bands), of power spectra (frames, 1025)."""
    found = np.empty((len(power), count), np.float32)
    _bands(power, *_edges(count), found)
    return found


@lru_cache(maxsize=4)
def filters(count: int) -> Float32:
    """Return the triangular filters of Slaney's mel scale with unit area, (bands, 1025), as librosa's default."""
    corner_hz, step = 1000.0, np.log(6.4) / 27
    corner = 3 * corner_hz / 200
    top = corner + np.log(_RATE_HZ / 2 / corner_hz) / step
    mels = np.linspace(0.0, top, count + 2)
    centres = np.where(mels < corner, mels * 200 / 3, corner_hz * np.exp(step * (mels - corner)))
    frequency = np.arange(_BINS) * (_RATE_HZ / (2 * (_BINS - 1)))
    widths = np.diff(centres)[:, np.newaxis]
    distance = centres[:, np.newaxis] - frequency
    rising, falling = -distance[:-2] / widths[:-1], distance[2:] / widths[1:]
    weights: Float64 = np.maximum(0, np.minimum(rising, falling)) * (2 / (centres[2:] - centres[:-2]))[:, np.newaxis]
    return weights.astype(np.float32)


@lru_cache(maxsize=4)
def cosines(bands: int, count: int) -> Float32:
    """Return the matrix (bands, count) of the orthonormal DCT-II's first coefficients."""
    angle = np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(count))
    matrix = np.cos(angle) * np.sqrt(2 / bands)
    matrix[:, 0] *= np.sqrt(0.5)
    return np.ascontiguousarray(matrix, np.float32)


def decibels(power: Float32) -> Float32:
    """Return a power in dB re 1, floored at -100 dB, as a new array."""
    # NumPy's logarithm to base e is vectorised everywhere, that to base 10 is not
    found: Float32 = np.log(np.maximum(power, np.float32(0.99e-10)))
    found *= np.float32(10 / np.log(10))
    # exactly: a little less stood in for the floor, for the rounding's sake
    return np.maximum(found, np.float32(-100), out=found)


@lru_cache(maxsize=4)
def _edges(count: int) -> tuple[Int64, Int64, Float32]:
    """Return each filter's first bin and the one after its last, and all weights above zero, filter by filter."""
    weights = filters(count)
    first = np.array([np.flatnonzero(row)[0] for row in weights])
    last = np.array([np.flatnonzero(row)[-1] + 1 for row in weights])
    return first, last, np.concatenate([row[a:b] for row, a, b in zip(weights, first, last, strict=True)])


@kernel
def _bands(power: Float32, first: Int64, last: Int64, weights: Float32, found: Float32) -> None:
    tile = np.zeros((_BINS, _LANES), np.float32)
    sums = np.zeros(_LANES, np.float32)
    for start in range(0, len(power), _LANES):
        frames = min(_LANES, len(power) - start)
        for k0 in range(0, _BINS, 16):
            for f in range(frames):
                row = power[start + f, k0 : k0 + 16]
                for k in range(len(row)):
                    tile[k0 + k, f] = row[k]
        at = 0
        for b in range(len(first)):
            for f in range(_LANES):
                sums[f] = 0
            for k in range(first[b], last[b]):
                weight = weights[at]
                at += 1
                lanes = tile[k]
                for f in range(_LANES):
                    sums[f] += lanes[f] * weight
            for f in range(frames):
                found[start + f, b] = sums[f]
