"""The energy of blocks in bands of frequency."""

import numpy as np

from pipeline.arrays import Complex64, Float32, Float64, Int64
from pipeline.kernels import bands, fourier
from pipeline.kernels.compilation import kernel

# Below this share the rounding of a float32 transform is visible in the smaller part.
_LEAST_SHARE = 1e-9


# Rows that SciPy transforms at once: four go in a vector, and their spectra stay in a cache.
_ROWS = 16


def band_energies(blocks: Float32, borders: Int64) -> Float64:
    """Return the energy of the spectra of blocks (blocks, samples) from a border to before the next, (blocks, bands).

    Borders are bins in ascending order; the first is 1, the last is half the number of samples. In float32: a band
    with a fair share of the energy keeps six digits.
    """
    plan = fourier.plan(blocks.shape[1])
    if plan is not None:
        return bands.band_energies(blocks, plan, borders)
    from scipy import fft

    energies = np.empty((len(blocks), len(borders) - 1))
    for first in range(0, len(blocks), _ROWS):
        _sums(fft.rfft(blocks[first : first + _ROWS], axis=1), borders, energies[first : first + _ROWS])
    return energies


def ratio(blocks: Float32, low: Float64, high: Float64, split: int) -> Float64:
    """Return low over high, (blocks,): the energies of blocks (blocks, samples) below and from the bin `split` on.

    Where the smaller part is below the rounding of the float32 transform, both are computed in float64; where it is
    below the rounding of that, the bound of the rounding replaces it: the ratio stays finite.
    """
    ratios = np.empty(len(blocks))
    clear = (high > _LEAST_SHARE * low) & (low > _LEAST_SHARE * high)
    ratios[clear] = low[clear] / high[clear]
    for i in np.flatnonzero(~clear):
        energy = np.square(np.abs(np.fft.rfft(blocks[i].astype(np.float64))))
        rounding = np.finfo(np.float64).eps ** 2 * energy.sum()
        ratios[i] = energy[1:split].sum() / max(energy[split : blocks.shape[1] // 2].sum(), rounding)
    return ratios


@kernel
def _sums(spectra: Complex64, borders: Int64, energies: Float64) -> None:
    for b in range(len(spectra)):
        for band in range(len(borders) - 1):
            total = np.float64(0)
            for start in range(borders[band], borders[band + 1], 512):
                part = spectra[b, start : min(start + 512, borders[band + 1])]
                part_sum = np.float32(0)
                for k in range(len(part)):
                    part_sum += part[k].real * part[k].real + part[k].imag * part[k].imag
                total += part_sum
            energies[b, band] = total
