"""Mel bands of power spectra, and MFCC of mel bands."""

from functools import lru_cache
from math import log10

import numpy as np

from pipeline.arrays import Float32, Float64, Int32, Int64
from pipeline.kernels.compilation import kernel
from pipeline.kernels.transform import BINS, LANES, SPARE_BINS, new_tile

_RATE_HZ = 22_050
# The bits of a little less than the floor of 1e-10, for the rounding's sake, and of the root of a half.
_LEAST = np.float32(0.99e-10).view(np.int32)
_ROOT_HALF = np.float32(0.5**0.5).view(np.int32)


def _log2_polynomial() -> tuple[np.float32, ...]:
    """Return the coefficients of log2(1 + r) / r from the root of a half to the root of two, lowest first."""
    low, high = 0.5**0.5 - 1, 2**0.5 - 1
    # of an even number of Chebyshev's nodes none is zero
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    fit = np.polynomial.Polynomial.fit(nodes, np.log2(1 + nodes) / nodes, 8)
    return tuple(np.float32(coefficient) for coefficient in fit.convert().coef)


_LOG2 = _log2_polynomial()


def bands(power: Float32, count: int = 128) -> Float32:
    """Return the power in each mel band, (frames, bands), of power spectra (frames, 1025)."""
    out = np.empty((len(power), count), np.float32)
    _bands(power, *edges(count), new_tile(np.float32), out)
    return out


@lru_cache(maxsize=4)
def filters(count: int) -> Float32:
    """Return the triangular filters of Slaney's mel scale with unit area, (bands, 1025), as librosa's default."""
    corner_hz, step = 1000.0, np.log(6.4) / 27
    corner = 3 * corner_hz / 200
    top = corner + np.log(_RATE_HZ / 2 / corner_hz) / step
    mels = np.linspace(0.0, top, count + 2)
    centres = np.where(mels < corner, mels * 200 / 3, corner_hz * np.exp(step * (mels - corner)))
    frequency = np.arange(BINS) * (_RATE_HZ / (2 * (BINS - 1)))
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
    """Return a power in dB re 1, floored at -100 dB, as a new array; within 2e-5 dB of the exact value."""
    out = np.empty(power.shape, np.float32)
    mantissa = np.empty(power.size, np.int32)
    bits = np.ascontiguousarray(power).reshape(-1).view(np.int32)
    _decibels(bits, mantissa, mantissa.view(np.float32), out.reshape(-1))
    return out


@kernel
def _decibels(bits: Int32, mantissa: Int32, part: Float32, out: Float32) -> None:
    """Fill in the dB of floats' bits: the exponent is most of a logarithm, a polynomial of the mantissa the rest.

    `part` is the mantissa's memory, read as floats.
    """
    octave, one, floor = np.float32(10 * log10(2)), np.float32(1), np.float32(-100)
    c0, c1, c2, c3, c4, c5, c6, c7, c8 = _LOG2
    for i in range(len(bits)):
        # positive floats have the order of their bits
        floored = max(bits[i], _LEAST)
        exponent = np.int32(floored - _ROOT_HALF) >> np.int32(23)
        mantissa[i] = floored - (exponent << np.int32(23))
        out[i] = exponent
    for i in range(len(bits)):
        r = part[i] - one
        fraction = ((((((((c8 * r + c7) * r + c6) * r + c5) * r + c4) * r + c3) * r + c2) * r + c1) * r + c0) * r
        level = octave * (fraction + out[i])
        out[i] = level if level > floor else floor  # noqa: FURB136 -- max() of floats does not vectorise


@lru_cache(maxsize=4)
def edges(count: int) -> tuple[Int64, Int64, Float32]:
    """Return each filter's first bin, how many times four bins it has, and all weights, filter by filter.

    Each filter is padded to a multiple of four with weights of zero, up to three bins behind the last.
    """
    weights = filters(count)
    first = np.array([np.flatnonzero(row)[0] for row in weights])
    last = np.array([np.flatnonzero(row)[-1] + 1 for row in weights])
    steps = -(-(last - first) // 4)
    filled = np.pad(weights, ((0, 0), (0, SPARE_BINS)))
    return first, steps, np.concatenate([row[a : a + 4 * n] for row, a, n in zip(filled, first, steps, strict=True)])


@kernel
def _bands(power: Float32, first: Int64, steps: Int64, weights: Float32, tile: Float32, out: Float32) -> None:
    sums = np.zeros(LANES, np.float32)
    for start in range(0, len(power), LANES):
        for k0 in range(0, BINS, 16):
            for f in range(min(LANES, len(power) - start)):
                row = power[start + f, k0 : k0 + 16]
                for k in range(len(row)):
                    tile[(k0 + k) * LANES + f] = row[k]
        sum_bands(tile, first, steps, weights, sums, out[start : start + LANES])


@kernel
def sum_bands(tile: Float32, first: Int64, steps: Int64, weights: Float32, sums: Float32, out: Float32) -> None:
    """Fill in the bands of up to sixteen frames, (frames, bands), from their powers, a tile of `transform`."""
    at = 0
    for b in range(len(first)):
        for f in range(LANES):
            sums[f] = 0
        # four bins at a time: the sums go to memory and back less often
        for step in range(steps[b]):
            w0, w1, w2, w3 = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
            at += 4
            part = tile[(first[b] + 4 * step) * LANES :]
            for f in range(LANES):
                part_sum = part[f] * w0 + part[f + LANES] * w1 + part[f + 2 * LANES] * w2 + part[f + 3 * LANES] * w3
                sums[f] += part_sum
        for f in range(len(out)):
            out[f, b] = sums[f]
