"""Power spectra of overlapping frames by a Fourier transform of sixteen frames side by side.

A library takes frames one by one: they must be cut, windowed, and their spectra transposed before bins are summed.
Here a vector has the same sample of sixteen frames from the window to the mel bands. The frames overlap by whole hops,
so the signal is transposed once, hop by hop, and the first step of the transform reads it windowed.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Float32, Float64
from pipeline.kernels.compilation import kernel

LANES = 16
"""Frames side by side."""
BINS = 1025
SPARE_BINS = 3
"""Rows of zeros behind the last bin of a tile, for what reads four at a time."""

_N_FFT = 2048
_HOP = 512
# A real frame is transformed as half as many complex numbers, its even samples real, its odd ones imaginary.
_HALF = _N_FFT // 2
_QUARTER = _HALF // 4
_HOPS = LANES + _N_FFT // _HOP - 1
_ROW = _HOPS + 5
# Floats from the real parts to the imaginary ones, and from one quarter to the next; streams of data a multiple of
# 4 KiB apart would wait for each other.
_IMAGINARY = _HALF * LANES + 48
_APART = _QUARTER * LANES

Real = TypeVar("Real", np.float32, np.float64)

_WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_N_FFT) / _N_FFT)


def workspace(kind: type[Real]) -> NDArray[Real]:
    """Return the working memory of `power_tile`, (3, numbers), of the type it computes in."""
    return np.zeros((3, 2 * _IMAGINARY + 400), kind)


def new_tile(kind: type[Real]) -> NDArray[Real]:
    """Return a tile for `power_tile` to fill: bin by bin, the powers of sixteen frames, flat."""
    return np.zeros((BINS + SPARE_BINS) * LANES, kind)


def _angles(count: int, size: int) -> Float64:
    return -2 * np.pi * np.arange(count) / size


def _twiddles(size: int) -> Float64:
    """Return cosine and sine of the three twiddle factors of a step on parts of a size, (size / 4, 6)."""
    angle = _angles(size // 4, size)
    return np.column_stack([f(k * angle) for k in (1, 2, 3) for f in (np.cos, np.sin)])


@lru_cache(maxsize=2)
def tables(kind: type[Real]) -> tuple[NDArray[Real], ...]:
    """Return the constants of `power_tile`: Hann's window, the twiddle factors of each step, those of the last one."""
    split = np.column_stack([f(_angles(_HALF // 2 + 1, _N_FFT)) for f in (np.cos, np.sin)])
    return tuple(table.astype(kind) for table in (_WINDOW, *(_twiddles(_HALF // 4**step) for step in range(5)), split))


@kernel
def _transpose(signal: Float32, hops: NDArray[Real]) -> None:
    """Write the hops of the signal to the columns of (512, hops), flat."""
    count = min(_HOPS, len(signal) // _HOP)
    for first in range(0, _HOP, 16):
        for b in range(count):
            part = signal[b * _HOP + first : b * _HOP + first + 16]
            for j in range(len(part)):
                hops[(first + j) * _ROW + b] = part[j]


@kernel
def _first_step(hops: NDArray[Real], window: NDArray[Real], y: NDArray[Real], twiddles: NDArray[Real]) -> None:
    """Do the first step of radix 4 on the windowed frames: a quarter of a frame is a hop."""
    for p in range(_QUARTER):
        c1, s1, c2, s2, c3, s3 = (
            twiddles[p, 0],
            twiddles[p, 1],
            twiddles[p, 2],
            twiddles[p, 3],
            twiddles[p, 4],
            twiddles[p, 5],
        )
        v, w = window[2 * p :], window[2 * p + 1 :]
        v0, v1, v2, v3 = v[0], v[_HOP], v[2 * _HOP], v[3 * _HOP]
        w0, w1, w2, w3 = w[0], w[_HOP], w[2 * _HOP], w[3 * _HOP]
        even, odd = hops[2 * p * _ROW :], hops[(2 * p + 1) * _ROW :]
        out = y[4 * p * LANES :]
        for i in range(LANES):
            ar, br, cr, dr = even[i] * v0, even[i + 1] * v1, even[i + 2] * v2, even[i + 3] * v3
            ai, bi, ci, di = odd[i] * w0, odd[i + 1] * w1, odd[i + 2] * w2, odd[i + 3] * w3
            pr, pi, mr, mi = ar + cr, ai + ci, ar - cr, ai - ci
            qr, qi, nr, ni = br + dr, bi + di, br - dr, bi - di
            out[i], out[i + _IMAGINARY] = pr + qr, pi + qi
            ur, ui = mr + ni, mi - nr
            out[i + LANES], out[i + LANES + _IMAGINARY] = ur * c1 - ui * s1, ur * s1 + ui * c1
            ur, ui = pr - qr, pi - qi
            out[i + 2 * LANES], out[i + 2 * LANES + _IMAGINARY] = ur * c2 - ui * s2, ur * s2 + ui * c2
            ur, ui = mr - ni, mi + nr
            out[i + 3 * LANES], out[i + 3 * LANES + _IMAGINARY] = ur * c3 - ui * s3, ur * s3 + ui * c3


def _step(done: int) -> Callable[[Float32 | Float64, Float32 | Float64, Float32 | Float64], None]:
    """Return a step of radix 4 (Stockham's order), when parts of a size are done; constants make it vectorise."""
    width = done * LANES

    @kernel
    def step(x: Float32 | Float64, y: Float32 | Float64, twiddles: Float32 | Float64) -> None:
        for p in range(_QUARTER // done):
            c1, s1, c2, s2, c3, s3 = (
                twiddles[p, 0],
                twiddles[p, 1],
                twiddles[p, 2],
                twiddles[p, 3],
                twiddles[p, 4],
                twiddles[p, 5],
            )
            part, out = x[p * width :], y[4 * p * width :]
            for i in range(width):
                ar, ai = part[i], part[i + _IMAGINARY]
                br, bi = part[i + _APART], part[i + _APART + _IMAGINARY]
                cr, ci = part[i + 2 * _APART], part[i + 2 * _APART + _IMAGINARY]
                dr, di = part[i + 3 * _APART], part[i + 3 * _APART + _IMAGINARY]
                pr, pi, mr, mi = ar + cr, ai + ci, ar - cr, ai - ci
                qr, qi, nr, ni = br + dr, bi + di, br - dr, bi - di
                out[i], out[i + _IMAGINARY] = pr + qr, pi + qi
                ur, ui = mr + ni, mi - nr
                out[i + width], out[i + width + _IMAGINARY] = ur * c1 - ui * s1, ur * s1 + ui * c1
                ur, ui = pr - qr, pi - qi
                out[i + 2 * width], out[i + 2 * width + _IMAGINARY] = ur * c2 - ui * s2, ur * s2 + ui * c2
                ur, ui = mr - ni, mi + nr
                out[i + 3 * width], out[i + 3 * width + _IMAGINARY] = ur * c3 - ui * s3, ur * s3 + ui * c3

    return step


_step_4, _step_16, _step_64, _step_256 = _step(4), _step(16), _step(64), _step(256)


@kernel
def _powers(x: NDArray[Real], split: NDArray[Real], tile: NDArray[Real]) -> None:
    """Separate the transforms of even and odd samples, join them to the spectra of the frames, square."""
    quarter = np.float32(0.25)
    for i in range(LANES):
        re, im = x[i], x[i + _IMAGINARY]
        tile[i] = (re + im) * (re + im)
        tile[i + _HALF * LANES] = (re - im) * (re - im)
    for k in range(1, _HALF // 2 + 1):
        c, s = split[k, 0], split[k, 1]
        part, mirror = x[k * LANES :], x[(_HALF - k) * LANES :]
        low, high = tile[k * LANES :], tile[(_HALF - k) * LANES :]
        for i in range(LANES):
            ar, ai, br, bi = part[i], part[i + _IMAGINARY], mirror[i], mirror[i + _IMAGINARY]
            er, ei, odd_r, odd_i = ar + br, ai - bi, ai + bi, br - ar
            tr, ti = odd_r * c - odd_i * s, odd_r * s + odd_i * c
            low[i] = quarter * ((er + tr) * (er + tr) + (ei + ti) * (ei + ti))
            high[i] = quarter * ((er - tr) * (er - tr) + (ei - ti) * (ei - ti))


@kernel
def power_tile(signal: Float32, work: NDArray[Real], constants: tuple[NDArray[Real], ...], tile: NDArray[Real]) -> None:
    """Fill a tile with the powers of the first sixteen frames of a signal; frames behind its end are undefined.

    In the precision of `work`: float64 takes a third longer.
    """
    window, twiddles_1, twiddles_4, twiddles_16, twiddles_64, twiddles_256, split = constants
    hops, x, y = work[0], work[1], work[2]
    _transpose(signal, hops)
    _first_step(hops, window, x, twiddles_1)
    _step_4(x, y, twiddles_4)
    _step_16(y, x, twiddles_16)
    _step_64(x, y, twiddles_64)
    _step_256(y, x, twiddles_256)
    _powers(x, split, tile)
