"""True peaks of blocks with strong content up to half the rate, for which a short filter is inexact.

A block is sampled at twice its rate by two transforms, exactly. Then it has nothing above a quarter of its rate, and a
short filter interpolates between its samples.
"""

from functools import lru_cache

import numpy as np

from pipeline.arrays import Complex64, Float32, Float64
from pipeline.kernels import fourier
from pipeline.kernels.compilation import Scalar, kernel
from pipeline.kernels.fourier import Plan
from pipeline.kernels.vectors import LANES

# With these the filter is off by 1.5e-6 of the largest value at most.
_TAPS = 32
_BETA = 12.0
# Samples of a group.
_GROUP = 64
# A sine of a quarter of the rate rises between samples by 0.21 of its second difference, others by less.
_RISE = 0.5


def true_peaks(blocks: Float32) -> Float32:
    """Return the largest magnitude of each of blocks (blocks, samples), 4x oversampled by FFT resampling, (blocks,)."""
    length = blocks.shape[1]
    peaks = np.empty(len(blocks), np.float32)
    plan = fourier.plan(length)
    if plan is not None:
        _peaks_by_plan(np.ascontiguousarray(blocks), plan, _half_sample_shift(length), _middle(), peaks)
        return peaks
    from scipy import fft

    bins = np.arange(length // 2 + 1)
    twiddles = np.exp(1j * np.pi * bins / length).astype(np.complex64)
    if length % 2 == 0:
        twiddles[-1] = 0  # half of the middle bin shifts each way
    between = fft.irfft(fft.rfft(blocks, axis=1) * twiddles, length, axis=1)
    doubled = np.stack([blocks, between], axis=2).reshape(len(blocks), -1)
    _peaks(doubled, _middle(), peaks)
    return peaks


@lru_cache(maxsize=1)
def _middle() -> Float32:
    """Return a windowed sine over x for the middle between two samples, (taps,)."""
    return windowed_sine(np.arange(_TAPS, dtype=np.float64) - (_TAPS - 1) / 2, _BETA).astype(np.float32)


def windowed_sine(time: Float64, beta: float) -> Float64:
    """Return a sine over x at times, in samples, as many as the filter has taps, under Kaiser's window, (taps,)."""
    inside = np.maximum(0, 1 - np.square(time / (len(time) / 2)))
    weights: Float64 = np.sinc(time) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    return weights


@lru_cache(maxsize=4)
def _half_sample_shift(length: int) -> tuple[Complex64, Complex64]:
    """Return the factors from the transform Z of a block's pairs to that of the pairs half a sample later, (n,) each.

    Bin k of it is the sum of bin k of Z times the first, and of the conjugate of bin n - k times the second. With
    E = (Z[k] + Z*[n - k]) / 2 and O = (Z[k] - Z*[n - k]) / 2i, the transforms of the even and the odd samples, the
    block's own bins are E + w O and E - w O for w = exp(-2 pi i k / 2n); shifted by half a sample and paired again they
    are (1 + i) (cos(a) O - sin(a) exp(2ia) E), a = pi k / 2n. Divided by n, for the way back.
    """
    half = length // 2
    angle = np.pi * np.arange(half) / length
    odd = (1 - 1j) * np.cos(angle) / (2 * half)
    even = -(1 + 1j) * np.sin(angle) * np.exp(2j * angle) / (2 * half)
    return (even + odd).astype(np.complex64), (even - odd).astype(np.complex64)


@kernel
def _peaks_by_plan(
    blocks: Float32, plan: Plan, halfway: tuple[Complex64, Complex64], middle: Float32, peaks: Float32
) -> None:
    length = blocks.shape[1]
    half = length // 2
    memory = fourier.workspace(plan)
    spectrum = np.empty((2, half + LANES), np.float32)
    later = np.empty(length, np.float32)
    doubled = np.empty((1, 2 * length), np.float32)
    for b in range(len(blocks)):
        fourier.transform(blocks[b], plan, memory, spectrum)
        _shift(spectrum, halfway[0], halfway[1], later)
        fourier.transform(later, plan, memory, spectrum)
        _interleave(blocks[b], spectrum, doubled[0])
        _peaks(doubled, middle, peaks[b : b + 1])


@kernel
def _shift(spectrum: Float32, own: Complex64, mirrored: Complex64, later: Float32) -> None:
    """Write the transform of the pairs half a sample later, imaginary parts first: transformed, it is the way back."""
    n = len(own)
    # The first bin mirrors itself; the middle bin is zero half a sample later.
    later[0] = later[1] = (spectrum[0, 0] + spectrum[1, 0]) / np.float32(2 * n)
    real, imaginary = spectrum[0, 1:n], spectrum[1, 1:n]
    last = np.uintp(n - 2)  # without a sign, for indices that cannot be negative
    for k in range(np.uintp(n - 1)):
        ar, ai, br, bi = real[k], imaginary[k], real[last - k], -imaginary[last - k]
        g, h = own[k + np.uintp(1)], mirrored[k + np.uintp(1)]
        later[np.uintp(2) * k + np.uintp(3)] = ar * g.real - ai * g.imag + br * h.real - bi * h.imag
        later[np.uintp(2) * k + np.uintp(2)] = ar * g.imag + ai * g.real + br * h.imag + bi * h.real


@kernel
def _interleave(block: Float32, spectrum: Float32, doubled: Float32) -> None:
    """Write the samples of a block and those between them, which come back with real and imaginary parts exchanged."""
    even, odd = spectrum[1], spectrum[0]
    for k in range(np.uintp(len(block) // 2)):
        at, two = np.uintp(4) * k, np.uintp(2) * k
        doubled[at] = block[two]
        doubled[at + np.uintp(1)] = even[k]
        doubled[at + np.uintp(2)] = block[two + np.uintp(1)]
        doubled[at + np.uintp(3)] = odd[k]


@kernel
def _peaks(doubled: Float32, middle: Float32, peaks: Float32) -> None:
    """Write the largest magnitudes of signals (signals, samples) and of the middles between their samples.

    The signals have nothing above a quarter of their rate.
    """
    length = doubled.shape[1]
    around = np.empty(_GROUP + _TAPS, np.float32)
    between = np.empty(_GROUP, np.float32)
    for s in range(len(doubled)):
        signal = doubled[s]
        best = largest(signal)
        for first in range(0, length, _GROUP):
            if _may_rise(signal, first, best):
                cut(signal, first - _TAPS // 2, around)
                between[:] = 0
                for t in range(_TAPS):
                    weight, part = middle[t], around[t : t + _GROUP]
                    for i in range(_GROUP):
                        between[i] += weight * part[i]
                best = max(best, largest(between))
        peaks[s] = best


@kernel
def _may_rise(signal: Float32, first: int, best: Scalar) -> Scalar:
    """Return whether a value just before one of a group of samples may reach the best."""
    end = first + _GROUP
    if first == 0 or end >= len(signal):
        return True  # at the ends, where the signal counts as periodic
    rise, two = np.float32(_RISE), np.float32(2)
    left, centre, right = signal[first - 2 : end - 1], signal[first - 1 : end], signal[first : end + 1]
    reached = np.int32(0)
    for i in range(len(centre)):
        reached = np.int32(reached + (abs(centre[i]) + rise * abs(left[i] - two * centre[i] + right[i]) > best))
    return reached > 0


@kernel
def largest(signal: Float32) -> Scalar:
    """Return the largest magnitude: of floats without their sign, the bits have the same order."""
    bits = signal.view(np.int32)
    top = np.zeros(1, np.int32)
    most = np.int32(0)
    for i in range(len(bits)):
        most = np.int32(max(most, bits[i] & np.int32(0x7FFFFFFF)))
    top[0] = most
    return top.view(np.float32)[0]


@kernel
def cut(block: Float32, first: int, part: Float32) -> None:
    """Copy a part of a block that counts as periodic, as in resampling by FFT."""
    length = len(block)
    if first >= 0 and first + len(part) <= length:
        for i in range(len(part)):
            part[i] = block[first + i]
    else:
        for i in range(len(part)):
            part[i] = block[(first + i) % length]
