"""The shape of each frame's spectrum, and sign changes: for `frame_stats` and similar families."""

from math import log, sqrt

import numpy as np

from pipeline.arrays import Float32, Int64
from pipeline.kernels.compilation import kernel

COLUMNS = ("centroid_hz", "bandwidth_hz", "rolloff_hz", "log10_flatness", "rms")
"""Of the first columns of `spectral_shapes`; the contrast's peaks and valleys follow."""

_BIN_HZ = 22_050 / 2048
_LEAST_POWER = 1e-10
_LEAST_FLATNESS = 1e-10
_TINY = float(np.finfo(np.float32).tiny)
# A product of so many powers of samples up to 180 dB over full scale fits float64.
_PRODUCTS = 8


def spectral_shapes(power: Float32, bands: Int64, *, rolloff_share: float) -> Float32:
    """Return the shape of each spectrum of power spectra (frames, 1025), (frames, 5 + 2 * bands).

    `COLUMNS`, then the mean of the highest magnitudes in each band, then of the lowest. A row of `bands` is a band's
    first bin, the one after its last, and how many magnitudes are averaged.
    """
    out = np.empty((len(power), len(COLUMNS) + 2 * len(bands)), np.float32)
    _spectral_shapes(power, bands, rolloff_share, out)
    return out


@kernel
def _spectral_shapes(power: Float32, bands: Int64, rolloff_share: float, out: Float32) -> None:
    bins = power.shape[1]
    magnitude = np.empty(bins, np.float32)
    lowest = np.empty(bins, np.float32)
    highest = np.empty(bins, np.float32)
    first_band = len(COLUMNS)
    for f in range(len(power)):
        row = power[f]
        total, weighted, squares = np.float64(0), np.float64(0), np.float64(0)
        for k in range(bins):
            magnitude[k] = np.sqrt(row[k])
        for k in range(bins):
            total += magnitude[k]
            weighted += k * np.float64(magnitude[k])
            squares += row[k]
        out[f, 4] = sqrt(2 * (squares - 0.5 * row[0] - 0.5 * row[bins - 1])) / (2 * (bins - 1))
        # librosa leaves a frame without any sound as it is, and so its centroid at 0
        unit = 1 / total if total > _TINY else 1.0
        centre = weighted * unit
        spread = np.float64(0)
        for k in range(bins):
            spread += (k - centre) * (k - centre) * magnitude[k]
        out[f, 0] = centre * _BIN_HZ
        out[f, 1] = sqrt(spread * unit) * _BIN_HZ
        out[f, 2] = _rolloff(magnitude, rolloff_share * total) * _BIN_HZ
        out[f, 3] = _log10_flatness(row)
        for b in range(len(bands)):
            peak, valley = _extremes(row, bands[b, 0], bands[b, 1], bands[b, 2], highest, lowest)
            out[f, first_band + b] = peak
            out[f, first_band + len(bands) + b] = valley


@kernel
def _rolloff(magnitude: Float32, threshold: float) -> int:
    """Return the first bin up to which the magnitudes sum up to the threshold."""
    so_far = np.float64(0)
    # by steps first: the bin is found in the step that passes the threshold
    k, step = 0, 32
    while k + step < len(magnitude):
        part = np.float64(0)
        for i in range(k, k + step):
            part += magnitude[i]
        if so_far + part >= threshold:
            break
        so_far += part
        k += step
    while k < len(magnitude) - 1:
        so_far += magnitude[k]
        if so_far >= threshold:
            break
        k += 1
    return k


@kernel
def _log10_flatness(row: Float32) -> float:
    """Return log10 of the geometric over the arithmetic mean of powers."""
    logs, total = 0.0, 0.0
    k = 0
    while k < len(row):
        product = 1.0
        for i in range(k, min(k + _PRODUCTS, len(row))):
            value = max(np.float64(row[i]), _LEAST_POWER)
            product *= value
            total += value
        logs += log(product)
        k += _PRODUCTS
    return log(np.exp(logs / len(row)) / (total / len(row)) + _LEAST_FLATNESS) / log(10.0)


@kernel
def _extremes(
    row: Float32, first: int, last: int, count: int, highest: Float32, lowest: Float32
) -> tuple[float, float]:
    """Return the mean magnitude of the so many highest powers between two bins, and of the lowest."""
    for i in range(count):
        highest[i] = -1
        lowest[i] = np.inf
    for k in range(first, last):
        value = row[k]
        if value > highest[count - 1]:
            i = count - 1
            while i > 0 and highest[i - 1] < value:
                highest[i] = highest[i - 1]
                i -= 1
            highest[i] = value
        if value < lowest[count - 1]:
            i = count - 1
            while i > 0 and lowest[i - 1] > value:
                lowest[i] = lowest[i - 1]
                i -= 1
            lowest[i] = value
    top, bottom = 0.0, 0.0
    for i in range(count):
        top += sqrt(highest[i])
        bottom += sqrt(lowest[i])
    return top / count, bottom / count


def sign_changes(signal: Float32, cell: int, *, before: bool) -> tuple[Float32, bool]:
    """Return sign changes in each cell of so many samples, and at its first sample, (cells, 2); and the last sign.

    Values under 1e-10 count as zero and zero as positive, as librosa counts. `before` is whether the sample before
    the first was negative. The last cell may be shorter.
    """
    out = np.zeros((-(-len(signal) // cell), 2), np.float32)
    return out, bool(_sign_changes(signal, cell, before, out))


@kernel
def _sign_changes(signal: Float32, cell: int, before: bool, out: Float32) -> bool:
    threshold = np.float32(-1e-10)
    for c in range(len(out)):
        part = signal[c * cell : min((c + 1) * cell, len(signal))]
        at_first = (part[0] < threshold) != before
        count = 0
        for i in range(1, len(part)):
            count += (part[i] < threshold) != (part[i - 1] < threshold)
        out[c, 0] = count + at_first
        out[c, 1] = at_first
        before = part[len(part) - 1] < threshold
    return before
