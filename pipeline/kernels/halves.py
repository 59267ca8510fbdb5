"""How the energy of blocks divides over frequency."""

import numpy as np
from scipy import fft

from pipeline.arrays import Complex64, Float32, Float64, Int64
from pipeline.kernels.compiling import kernel

# Below this share the rounding of a float32 transform shows in the smaller part.
_LEAST_SHARE = 1e-9


def band_energies(spectra: Complex64, borders: Int64) -> Float64:
    """Return the energy of spectra (blocks, bins) from one border, a bin, to before the next, (blocks, bands)."""
    found = np.empty((len(spectra), len(borders) - 1))
    _sums(spectra, borders, found)
    return found


def ratio(blocks: Float32, low: Float64, high: Float64, split: int) -> Float64:
    """Return low over high, (blocks,): the energies of blocks (blocks, samples) below and from the bin `split` on.

    Where the smaller part drowns in the rounding of the float32 transform it is looked at again; where there is
    nothing but the rounding of the float64 one, its bound stands in for it: the ratio stays finite.
    """
    found = np.empty(len(blocks))
    clear = (high > _LEAST_SHARE * low) & (low > _LEAST_SHARE * high)
    found[clear] = low[clear] / high[clear]
    for i in np.flatnonzero(~clear):
        energy = np.square(np.abs(fft.rfft(blocks[i].astype(np.float64))))
        rounding = np.finfo(np.float64).eps ** 2 * energy.sum()
        found[i] = energy[1:split].sum() / max(energy[split : blocks.shape[1] // 2].sum(), rounding)
    return found


@kernel
def _sums(spectra: Complex64, borders: Int64, found: Float64) -> None:
    for b in range(len(spectra)):
        for band in range(len(borders) - 1):
            total = np.float64(0)
            for start in range(borders[band], borders[band + 1], 512):
                part = spectra[b, start : min(start + 512, borders[band + 1])]
                some = np.float32(0)
                for k in range(len(part)):
                    some += part[k].real * part[k].real + part[k].imag * part[k].imag
                total += some
            found[b, band] = total
