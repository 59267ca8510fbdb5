"""A loudness meter's input along a whole programme: K-weighted energy and interpolated peaks, cell by cell.

A cell is a short run of samples that is always processed as a whole: however a file is cut into blocks, its
cells are the same, and so is every number.
"""

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.kernels.compilation import kernel

TAPS = 12
"""Of each phase of the interpolating filter."""

# ITU-R BS.1770-5, annex 2: "order 48, 4-phase FIR interpolating filter". The last two phases are the first two,
# backwards.
_FIRST = (
    0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
    0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500,
)  # fmt: skip
_SECOND = (
    -0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
    0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375,
)  # fmt: skip
PHASES = np.array([_FIRST, _SECOND, _SECOND[::-1], _FIRST[::-1]], np.float32)
"""The filter's coefficients, (4, 12), in the order in which they meet the newest sample, the one before, and so on."""

# By how much the filter raises a peak at most, and a little for rounding: what cannot rise above the highest peak so
# far is not interpolated.
_MOST_GAIN = float(np.abs(PHASES).sum(axis=1).max()) * 1.0001
# Where a filter's state is no more than this, it is silent: numbers that small are slow to compute with.
_SILENT = 1e-30


def weighted_energies(planes: Float32, borders: Int64, filters: Float64, state: Float64) -> Float64:
    """Return the energy of each K-weighted cell of planes (channels, samples), (cells, channels).

    A cell goes from one border to the next. `filters` are those of `weighting.k_filters`; `state` (channels, 4) is
    zeros before the first sample, and becomes that after the last border.
    """
    out = np.empty((len(borders) - 1, len(planes)))
    for first in range(0, len(planes), 2):
        _weighted_energies(planes, first, min(first + 1, len(planes) - 1), borders, filters, state, out)
    return out


@kernel
def _weighted_energies(
    planes: Float32, left: int, right: int, borders: Int64, filters: Float64, state: Float64, out: Float64
) -> None:
    # Two channels at once (or one twice): each has to wait for its own last sample, but not for the other's.
    b0, b1, b2, a1, a2 = filters[0]
    d0, d1, d2, c1, c2 = filters[1]
    s1, s2, s3, s4 = state[left]
    t1, t2, t3, t4 = state[right]
    for cell in range(len(out)):
        one = planes[left, borders[cell] : borders[cell + 1]]
        other = planes[right, borders[cell] : borders[cell + 1]]
        sum_one, sum_other = 0.0, 0.0
        for i in range(len(one)):
            x, u = np.float64(one[i]), np.float64(other[i])
            y, v = b0 * x + s1, b0 * u + t1
            s1, t1 = b1 * x - a1 * y + s2, b1 * u - a1 * v + t2
            s2, t2 = b2 * x - a2 * y, b2 * u - a2 * v
            z, w = d0 * y + s3, d0 * v + t3
            s3, t3 = d1 * y - c1 * z + s4, d1 * v - c1 * w + t4
            s4, t4 = d2 * y - c2 * z, d2 * v - c2 * w
            sum_one += z * z
            sum_other += w * w
        out[cell, left] = sum_one
        out[cell, right] = sum_other
        if abs(s1) + abs(s2) + abs(s3) + abs(s4) < _SILENT:
            s1 = s2 = s3 = s4 = 0.0
        if abs(t1) + abs(t2) + abs(t3) + abs(t4) < _SILENT:
            t1 = t2 = t3 = t4 = 0.0
    state[left, 0], state[left, 1], state[left, 2], state[left, 3] = s1, s2, s3, s4
    state[right, 0], state[right, 1], state[right, 2], state[right, 3] = t1, t2, t3, t4


# Two phases are each other's mirror image. With E and O the sums over the even and odd parts of one of them, the one
# is E + O and the other E - O: the larger of their magnitudes is |E| + |O|, for half the multiplications.
_HALVES = np.array(
    [part for phase in PHASES[:2] for part in ((phase + phase[::-1])[:6] / 2, (phase - phase[::-1])[:6] / 2)]
)


def peaks(planes: Float32, borders: Int64, before: Float64) -> Float64:
    """Return the highest magnitude of all samples, and of all interpolated ones, full scale, (2,).

    Of planes (channels, 11 + samples): the cells follow 11 past samples, and `borders` counts from their end. `before`
    are the highest so far. 4x oversampled with the filter of BS.1770-5 annex 2.
    """
    out = before.copy()
    sums = np.empty((len(_HALVES), int(np.diff(borders).max(initial=1))), np.float32)
    for plane in planes:
        _peaks(plane, borders, _HALVES, sums, out)
    return out


@kernel
def _peaks(plane: Float32, borders: Int64, halves: Float32, sums: Float32, out: Float64) -> None:
    for cell in range(len(borders) - 1):
        width = borders[cell + 1] - borders[cell]
        part = plane[borders[cell] : borders[cell + 1] + TAPS - 1]
        highest = np.float32(0)
        # compared by hand: of the built-in max() the compiler makes no vector
        for i in range(len(part)):
            magnitude = abs(part[i])
            if magnitude > highest:  # noqa: PLR1730
                highest = magnitude
        out[0] = max(out[0], highest)
        if highest * _MOST_GAIN > out[1]:
            out[1] = max(out[1], _interpolated(part, width, halves, sums))


@kernel
def _interpolated(part: Float32, width: int, halves: Float32, sums: Float32) -> float:
    """Return the highest interpolated magnitude in a part of so many samples and the 11 before them."""
    even, odd, even_inner, odd_inner = sums[0, :width], sums[1, :width], sums[2, :width], sums[3, :width]
    sums[:, :width] = 0
    for tap in range(0, TAPS // 2, 2):
        # two taps from each end at a time: the sums are loaded and stored less often
        first, second = part[tap : tap + width], part[tap + 1 : tap + 1 + width]
        last, last_but_one = part[TAPS - 1 - tap :], part[TAPS - 2 - tap :]
        a0, a1, a2, a3 = halves[0, tap], halves[1, tap], halves[2, tap], halves[3, tap]
        b0, b1, b2, b3 = halves[0, tap + 1], halves[1, tap + 1], halves[2, tap + 1], halves[3, tap + 1]
        for i in range(width):
            plus, minus = first[i] + last[i], first[i] - last[i]
            inner_plus, inner_minus = second[i] + last_but_one[i], second[i] - last_but_one[i]
            even[i] += plus * a0 + inner_plus * b0
            odd[i] += minus * a1 + inner_minus * b1
            even_inner[i] += plus * a2 + inner_plus * b2
            odd_inner[i] += minus * a3 + inner_minus * b3
    return max(_highest_of_both(even, odd), _highest_of_both(even_inner, odd_inner))


@kernel
def _highest_of_both(even: Float32, odd: Float32) -> float:
    highest = np.float32(0)
    for i in range(len(even)):
        magnitude = abs(even[i]) + abs(odd[i])
        if magnitude > highest:  # noqa: PLR1730
            highest = magnitude
    return float(highest)
