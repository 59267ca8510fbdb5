"""Slopes of frame features over time: librosa's delta, a Savitzky-Golay derivative, in a few lines."""

import numpy as np

from pipeline.arrays import Float64

WIDTH = 9
"""Frames to which a polynomial is fitted."""


def slope(frames: Float64, order: int) -> Float64:
    """Return the slope (order 1) or curvature (order 2) of each column over nine frames, (frames, columns).

    `librosa.feature.delta` with its defaults: the derivative of the polynomial of that order fitted to nine frames; at
    the ends, of the one fitted to the outermost nine. Needs nine frames.
    """
    half = WIDTH // 2
    offsets = np.arange(-half, half + 1)
    fit = np.linalg.pinv(np.vander(offsets, order + 1, increasing=True).astype(np.float64))
    weights = fit[order] * order  # of the highest power; twice it is the curvature
    derivative = np.empty_like(frames)
    inner = np.zeros((len(frames) - 2 * half, frames.shape[1]))
    for i, weight in enumerate(weights):
        if weight:
            inner += weight * frames[i : i + len(inner)]
    derivative[half:-half] = inner
    for ends, window in ((slice(0, half), frames[: 2 * half + 1]), (slice(-half, None), frames[-2 * half - 1 :])):
        # a line has one slope, a parabola one curvature
        derivative[ends] = weights @ window
    return derivative
