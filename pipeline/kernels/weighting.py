"""K-weighting of many blocks at once, side by side: a recursive filter runs along time, a vector across blocks."""

from functools import lru_cache

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.kernels.compilation import kernel
from pipeline.kernels.vectors import LANES, filter_tile, transpose_rows

# Samples transposed at once: they stay in the nearest cache.
_TILE = 256
# The state of `filter_tile`: the delays of the filters, the energies before and after them.
_STATES = 6
_PLAIN, _WEIGHTED = 4, 5


@lru_cache(maxsize=16)
def k_filters(rate_hz: int) -> Float64:
    """Return b0, b1, b2, a1, a2 of the shelf and of the high-pass of BS.1770 at a rate, (2, 5).

    At 48 kHz these are the standard's own coefficients; for other rates the analogue prototypes that Brecht De Man
    found behind them ("Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018).
    """

    def poles(k: float, quality: float) -> tuple[float, float, float]:
        scale = 1 + k / quality + k * k
        return scale, 2 * (k * k - 1) / scale, (1 - k / quality + k * k) / scale

    high_gain = 10 ** (3.99984385397 / 20)
    band_gain = high_gain**0.499666774155
    quality = 0.7071752369554193
    k = float(np.tan(np.pi * 1681.9744509555319 / rate_hz))
    scale, a1, a2 = poles(k, quality)
    shelf = (
        (high_gain + band_gain * k / quality + k * k) / scale,
        2 * (k * k - high_gain) / scale,
        (high_gain - band_gain * k / quality + k * k) / scale,
        a1,
        a2,
    )
    _, a1, a2 = poles(float(np.tan(np.pi * 38.13547087613982 / rate_hz)), 0.5003270373253953)
    return np.array([shelf, (1.0, -2.0, 1.0, a1, a2)])


def energies(blocks: Float32, rate_hz: int, borders: Int64) -> tuple[Float64, Float64]:
    """Return the energy of each block, (blocks,), and that of its K-weighted spans, (blocks, spans).

    `blocks` has shape (blocks, samples). A span goes from one border to the next; the first is 0 and the last is the
    length of a block, 256 samples or more. The filters start from rest in every block. In float64 throughout.
    """
    blocks = np.ascontiguousarray(blocks)
    plain = np.empty(len(blocks))
    weighted = np.empty((len(blocks), len(borders) - 1))
    _energies(blocks, k_filters(rate_hz), borders, plain, weighted)
    return plain, weighted


@kernel
def _energies(blocks: Float32, filters: Float64, borders: Int64, plain: Float64, weighted: Float64) -> None:
    length = blocks.shape[1]
    tile = np.empty(_TILE * LANES, np.float32)
    state = np.empty((_STATES, LANES))
    for start in range(0, len(blocks), LANES):
        lanes = min(LANES, len(blocks) - start)
        state[:] = 0
        for span in range(len(borders) - 1):
            state[_WEIGHTED] = 0
            for t in range(borders[span], borders[span + 1], _TILE):
                width = min(_TILE, borders[span + 1] - t)
                # whole vectors, which at the end of the blocks begin before the first sample needed
                whole = -(-width // LANES) * LANES
                first = min(t, length - whole)
                for i in range(0, whole, LANES):
                    transpose_rows(blocks, start, lanes, first + i, tile, i * LANES)
                filter_tile(tile, (t - first) * LANES, width, filters, state)
            for j in range(lanes):
                weighted[start + j, span] = state[_WEIGHTED, j]
        for j in range(lanes):
            plain[start + j] = state[_PLAIN, j]
