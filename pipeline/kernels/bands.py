"""Energies of bands of blocks by a Fourier transform whose spectrum is never written down as a whole.

What the bins k and n - k of the half spectrum hold together is what those of the block hold together; only where the
two lie in different bands they are taken apart.
"""

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.kernels.compiling import Scalar, kernel
from pipeline.kernels.fourier import Plan, along_columns, along_rows, memory_for
from pipeline.kernels.vectors import LANES, UNIT, part_units


def band_energies(blocks: Float32, plan: Plan, borders: Int64) -> Float64:
    """Return the energy of the spectra of blocks (blocks, samples) from a border to before the next, (blocks, bands).

    Borders are bins in ascending order; the first is 1, the last is half the number of samples.
    """
    found = np.empty((len(blocks), len(borders) - 1))
    _energies(np.ascontiguousarray(blocks), plan, borders, found)
    return found


@kernel
def _energies(blocks: Float32, plan: Plan, borders: Int64, found: Float64) -> None:
    rows, columns = plan.rows, plan.columns
    n = rows * columns
    memory = memory_for(plan)
    spectrum = np.empty((2, n + LANES), np.float32)
    middle, low = _middle(n, rows, borders)
    low = low if 2 * low < columns else columns
    high = max(columns - low, low)
    for b in range(len(blocks)):
        found[b] = 0
        along_columns(blocks[b], plan, memory)
        # Backwards: what a vector that sticks out writes over the next row's beginning is written again.
        for first in range((rows - 1) // LANES * LANES, -1, -LANES):
            at = along_rows(memory, plan, first)
            part_units(memory, at, low, spectrum[0], spectrum[1], first, rows)
            part_units(memory, at + high * UNIT, columns - high, spectrum[0], spectrum[1], high * rows + first, rows)
            found[b, middle] += _power(memory[at + low * UNIT : at + high * UNIT])
        # The bin whose mirror is not among those kept, or its own.
        if low < columns or n % 2 == 0:
            alone = n - low * rows if low < columns else n // 2
            found[b, middle] += spectrum[0, alone] * spectrum[0, alone] + spectrum[1, alone] * spectrum[1, alone]
        _part(spectrum, plan.apart, n, low * rows if low < columns else (n + 1) // 2, borders, found[b])


@kernel
def _middle(n: int, rows: int, borders: Int64) -> tuple[int, int]:
    """Return the band of the middle bin, and the first row of bins that lies in it as the mirrors do."""
    band = 0
    while borders[band + 1] <= n // 2:
        band += 1
    return band, -(-max(borders[band], n - borders[band + 1] + 1) // rows)


@kernel
def _power(x: Float32) -> Scalar:
    total = np.float32(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


@kernel
def _part(spectrum: Float32, turns: Float32, n: int, last: int, borders: Int64, found: Float64) -> None:
    """Add the energies of the bins from 1 to before the last, and of their mirrors, to their bands."""
    low, high = 0, len(borders) - 2
    first = 1
    while first < last:
        while borders[low + 1] <= first:
            low += 1
        while borders[high] > n - first:
            high -= 1
        end = min(first + 512, last, borders[low + 1], n - borders[high] + 1)
        mirror = n - end + 1
        below, above = _parted(
            spectrum[0, first:end],
            spectrum[1, first:end],
            spectrum[0, mirror : mirror + end - first],
            spectrum[1, mirror : mirror + end - first],
            turns[0, first:end],
            turns[1, first:end],
        )
        found[low] += below
        found[high] += above
        first = end


@kernel
def _parted(
    real: Float32, imaginary: Float32, mirror_real: Float32, mirror_imaginary: Float32, cos: Float32, sin: Float32
) -> tuple[Scalar, Scalar]:
    """Return the energies of a stretch of bins and of their mirrors."""
    below, above = np.float32(0), np.float32(0)
    last = np.uintp(len(real) - 1)  # without a sign, for indices that cannot be negative
    for k in range(np.uintp(len(real))):
        ar, ai, br, bi = real[k], imaginary[k], mirror_real[last - k], mirror_imaginary[last - k]
        er, ei, dr, di = ar + br, ai - bi, ai + bi, br - ar
        tr, ti = dr * cos[k] - di * sin[k], dr * sin[k] + di * cos[k]
        below += (er + tr) * (er + tr) + (ei + ti) * (ei + ti)
        above += (er - tr) * (er - tr) + (ei - ti) * (ei - ti)
    return 0.25 * below, 0.25 * above
