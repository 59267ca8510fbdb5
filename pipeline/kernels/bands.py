"""Energies of bands of blocks by a Fourier transform whose spectrum is never stored as a whole.

The bins k and n - k of the half spectrum have together the energy of those of the block; they are separated only
where the two are in different bands.
"""

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.kernels.compilation import Scalar, kernel
from pipeline.kernels.fourier import Plan, transform_columns, transform_rows, workspace
from pipeline.kernels.vectors import LANES, UNIT, split_units


def band_energies(blocks: Float32, plan: Plan, borders: Int64) -> Float64:
    """Return the energy of the spectra of blocks (blocks, samples) from a border to before the next, (blocks, bands).

    Borders are bins in ascending order; the first is 1, the last is half the number of samples.
    """
    energies = np.empty((len(blocks), len(borders) - 1))
    _energies(np.ascontiguousarray(blocks), plan, borders, energies)
    return energies


@kernel
def _energies(blocks: Float32, plan: Plan, borders: Int64, energies: Float64) -> None:
    rows, columns = plan.rows, plan.columns
    n = rows * columns
    memory = workspace(plan)
    spectrum = np.empty((2, n + LANES), np.float32)
    middle, low = _middle(n, rows, borders)
    low = low if 2 * low < columns else columns
    high = max(columns - low, low)
    for b in range(len(blocks)):
        energies[b] = 0
        transform_columns(blocks[b], plan, memory)
        # Backwards: the last vector of a row overwrites the beginning of the next row, which is then written again.
        for first in range((rows - 1) // LANES * LANES, -1, -LANES):
            at = transform_rows(memory, plan, first)
            split_units(memory, at, low, spectrum[0], spectrum[1], first, rows)
            split_units(memory, at + high * UNIT, columns - high, spectrum[0], spectrum[1], high * rows + first, rows)
            energies[b, middle] += _power(memory[at + low * UNIT : at + high * UNIT])
        # The bin whose mirror was not written, or that is its own mirror.
        if low < columns or n % 2 == 0:
            alone = n - low * rows if low < columns else n // 2
            energies[b, middle] += spectrum[0, alone] * spectrum[0, alone] + spectrum[1, alone] * spectrum[1, alone]
        _add_bins(spectrum, plan.real_twiddles, n, low * rows if low < columns else (n + 1) // 2, borders, energies[b])


@kernel
def _middle(n: int, rows: int, borders: Int64) -> tuple[int, int]:
    """Return the band of the middle bin, and the first row of bins that lies in it with all its mirrors."""
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
def _add_bins(spectrum: Float32, twiddles: Float32, n: int, last: int, borders: Int64, energies: Float64) -> None:
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
        below, above = _bin_energies(
            spectrum[0, first:end],
            spectrum[1, first:end],
            spectrum[0, mirror : mirror + end - first],
            spectrum[1, mirror : mirror + end - first],
            twiddles[0, first:end],
            twiddles[1, first:end],
        )
        energies[low] += below
        energies[high] += above
        first = end


@kernel
def _bin_energies(
    real: Float32, imaginary: Float32, mirror_real: Float32, mirror_imaginary: Float32, cos: Float32, sin: Float32
) -> tuple[Scalar, Scalar]:
    """Return the energies of consecutive bins and of their mirrors."""
    below, above = np.float32(0), np.float32(0)
    last = np.uintp(len(real) - 1)  # without a sign, for indices that cannot be negative
    for k in range(np.uintp(len(real))):
        ar, ai, br, bi = real[k], imaginary[k], mirror_real[last - k], mirror_imaginary[last - k]
        er, ei, dr, di = ar + br, ai - bi, ai + bi, br - ar
        tr, ti = dr * cos[k] - di * sin[k], dr * sin[k] + di * cos[k]
        below += (er + tr) * (er + tr) + (ei + ti) * (ei + ti)
        above += (er - tr) * (er - tr) + (ei - ti) * (ei - ti)
    return 0.25 * below, 0.25 * above
