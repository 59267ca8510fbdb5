"""True peaks of blocks, each 4x oversampled by itself as by FFT resampling, without the transforms where it can.

A block's oversampled value is a sum over all its samples with Dirichlet's kernel. A short filter comes close, so it
scans for candidates, and the sum is computed for the highest of them first, until the estimate of the next one plus
three times the largest error so far is below the best. Where that is not safe (strong content near half the rate,
clipped music with too many equal peaks), the block counts as unsure and is doubled by transforms.
"""

from functools import lru_cache

import numpy as np

from pipeline.arrays import Bool, Float32, Float64, Int64
from pipeline.kernels import doubling
from pipeline.kernels.compilation import Scalar, kernel

_TAPS = 32
_BETA = 7.5
# Samples of a group.
_GROUP = 64
# Candidates that the scan keeps.
_CANDIDATES = 24
# Sines up to 0.42 of the rate rise between samples by no more than this, times their second difference.
_RISE = 0.75
TRUSTED_SHARE_OF_RATE = 0.42
"""Above this (18.5 kHz at 44.1 kHz) the short filter is inexact."""

_TRUSTED_SHARE = 3e-5
"""The share of a block's energy up there up to which the scan is trusted at all."""


def true_peaks(blocks: Float32, *, top_energy: Float64) -> Float32:
    """Return the largest magnitude of each of blocks (blocks, samples), 4x oversampled, (blocks,).

    `top_energy` (blocks,) is the energy of the samples' part above `TRUSTED_SHARE_OF_RATE` of the rate.
    """
    length = blocks.shape[1]
    peaks = np.zeros(len(blocks), np.float32)
    sure = np.full(len(blocks), length >= 4 * _GROUP)
    _scan(blocks, _short_filters(), _dirichlet(length), top_energy, peaks, sure)
    unsure = np.flatnonzero(~sure)
    if len(unsure):
        # without a copy when all are unsure
        peaks[unsure] = doubling.true_peaks(blocks if len(unsure) == len(blocks) else blocks[unsure])
    return peaks


@lru_cache(maxsize=1)
def _short_filters() -> Float32:
    """Return windowed sines over x for one, two and three quarters of a sample, (3, taps)."""
    offsets = np.arange(_TAPS, dtype=np.float64) - (_TAPS // 2 - 1)
    return np.array([doubling.windowed_sine(quarter / 4 - offsets, _BETA) for quarter in (1, 2, 3)], np.float32)


@lru_cache(maxsize=4)
def _dirichlet(length: int) -> Float32:
    """Return Dirichlet's kernel at quarters of samples, twice over and backwards, (3, 2 * length).

    The value a quarter, a half, three quarters after sample m is the dot product of the block with the part of the
    row from length - m on.
    """
    rows = []
    for quarter in (1, 2, 3):
        time = np.arange(length) + quarter / 4
        slope = np.tan if length % 2 == 0 else np.sin
        values = np.sin(np.pi * time) / slope(np.pi * time / length) / length
        backwards = values[-np.arange(length) % length]
        rows.append(np.concatenate([backwards, backwards]))
    return np.array(rows, np.float32)


@kernel
def _scan(
    blocks: Float32, filters: Float32, dirichlet: Float32, top_energy: Float64, peaks: Float32, sure: Bool
) -> None:
    length = blocks.shape[1]
    groups = -(-length // _GROUP)
    # a group with the samples on both sides that the filter needs
    around = np.empty(_TAPS + _GROUP, np.float32)
    marked = np.empty(groups, np.bool_)
    positions = np.empty(_CANDIDATES, np.int64)
    heights = np.empty(_CANDIDATES, np.float32)
    between = np.empty((3, _GROUP), np.float32)
    for b in range(len(blocks)):
        if not sure[b]:
            continue
        block = blocks[b]
        if top_energy[b] > _TRUSTED_SHARE * _energy(block):
            sure[b] = False
            continue
        step, highest = _step(block), doubling.largest(block)
        # the corners of flat tops have content for which a short filter is inexact
        if _mark(block, highest, highest - _ripple(step, 1, length), marked) > 2:
            sure[b] = False
            continue
        # the error of the short filter at least, for content above its share of the rate
        doubt = np.float32(np.sqrt(top_energy[b] / length) + 1e-5 * highest)
        lowest = np.float32(0.9) * highest
        count, dropped = 0, np.float32(0)
        heights[:] = 0
        for g in range(groups):
            if not marked[g]:
                continue
            ripple = _ripple(step, g, length)
            doubling.cut(block, g * _GROUP - (_TAPS // 2 - 1), around)
            _interpolate(around, filters, between)
            for quarter in range(3):
                row = between[quarter, : min(_GROUP, length - g * _GROUP)]
                count, dropped = _keep_highest(
                    row, ripple, lowest, (g * _GROUP) * 4 + quarter, positions, heights, count, dropped
                )
        peaks[b], error = _best(block, dirichlet, step, positions[:count], heights, highest, doubt)
        sure[b] = dropped + 3 * error < peaks[b] and error < np.float32(0.02) * highest


@kernel
def _step(block: Float32) -> Scalar:
    """Return how far the end of a block is from its beginning, generously."""
    last = len(block) - 1
    return abs(block[0] - block[last]) + abs(block[1] - block[0]) + abs(block[last] - block[last - 1])


@kernel
def _ripple(step: Scalar, group: int, length: int) -> Scalar:
    """Return how far a step from a block's end to its beginning moves the values in a group at most.

    Its ripple at half the rate fades with one over the distance; the short filter leaves it out.
    """
    distance = max(min(group * _GROUP, length - (group + 1) * _GROUP), 1)
    return np.float32(0.25 * step / distance)


@kernel
def _keep_highest(
    row: Float32,
    ripple: Scalar,
    lowest: Scalar,
    first: int,
    positions: Int64,
    heights: Float32,
    count: int,
    dropped: Scalar,
) -> tuple[int, Scalar]:
    """Insert the high values of an interpolated row into the candidates; return their count and the highest dropped.

    The heights are the values plus the ripple: their upper bound.
    """
    top = np.float32(0)
    for i in range(len(row)):
        magnitude = abs(row[i])
        if magnitude > top:  # noqa: PLR1730
            top = magnitude
    if top + ripple < lowest:
        return count, dropped
    for i in range(len(row)):
        height = abs(row[i]) + ripple
        if height < lowest:
            continue
        if height <= heights[_CANDIDATES - 1]:
            dropped = max(dropped, height)
            continue
        dropped = max(dropped, heights[_CANDIDATES - 1])
        j = _CANDIDATES - 1
        while j > 0 and heights[j - 1] < height:
            heights[j] = heights[j - 1]
            positions[j] = positions[j - 1]
            j -= 1
        heights[j] = height
        positions[j] = first + 4 * i
        count = min(count + 1, _CANDIDATES)
    return count, dropped


@kernel
def _best(
    block: Float32, dirichlet: Float32, step: Scalar, positions: Int64, heights: Float32, highest: Scalar, doubt: Scalar
) -> tuple[Scalar, Scalar]:
    """Return the highest exact value, and the largest error of the scan."""
    length = len(block)
    best, error = highest, doubt
    for j in range(len(positions)):
        if heights[j] + 3 * error < best:
            break
        at = positions[j] // 4
        exact = np.float32(abs(_dot(block, dirichlet[positions[j] - 4 * at, length - at : 2 * length - at])))
        ripple = _ripple(step, at // _GROUP, length)
        error = max(error, abs(exact - (heights[j] - ripple)) - ripple)
        best = max(best, exact)
    return best, error


@kernel
def _energy(block: Float32) -> Scalar:
    total = np.float32(0)
    for i in range(len(block)):
        total += block[i] * block[i]
    return total


@kernel
def _mark(block: Float32, highest: Scalar, threshold: Scalar, marked: Bool) -> Scalar:
    """Mark the groups where a value may reach a threshold, and those near the ends; return how often that is reached.

    No value next to a sample exceeds its magnitude plus a share of its second difference.
    """
    two, rise, nearly = np.float32(2), np.float32(_RISE), np.float32(0.9999) * highest
    last = len(block) - 1
    peaks = np.int32(abs(block[0]) >= nearly) + np.int32(abs(block[last]) >= nearly)
    marked[:] = False
    for g in range(len(marked)):
        first, end = max(g * _GROUP, 1), min((g + 1) * _GROUP, last)
        left, centre, right = block[first - 1 : end - 1], block[first:end], block[first + 1 : end + 1]
        reached, met = np.int32(0), np.int32(0)
        for i in range(len(centre)):
            magnitude = abs(centre[i])
            met = np.int32(met + (magnitude >= nearly))
            reached = np.int32(reached + (magnitude + rise * abs(left[i] - two * centre[i] + right[i]) >= threshold))
        peaks += met
        if reached:
            marked[g] = True
            # between a group's first sample and the one before lies the group before
            if abs(centre[0]) + rise * abs(left[0] - two * centre[0] + right[0]) >= threshold:
                marked[g - 1] = True
    marked[:2] = True
    marked[-2:] = True
    return peaks


@kernel
def _interpolate(signal: Float32, filters: Float32, between: Float32) -> None:
    """Write the values a quarter, a half, three quarters after each sample of a group, (3, group)."""
    first, second, third = between[0], between[1], between[2]
    for i in range(_GROUP):
        first[i] = second[i] = third[i] = 0
    for t in range(_TAPS):
        a, b, c = filters[0, t], filters[1, t], filters[2, t]
        part = signal[t : t + _GROUP]
        for i in range(_GROUP):
            first[i] += part[i] * a
            second[i] += part[i] * b
            third[i] += part[i] * c


@kernel
def _dot(block: Float32, weights: Float32) -> Scalar:
    total = np.float64(0)
    for start in range(0, len(block), 1024):
        part, along = block[start : start + 1024], weights[start : start + 1024]
        part_sum = np.float32(0)
        for i in range(len(part)):
            part_sum += part[i] * along[i]
        total += part_sum
    return total
