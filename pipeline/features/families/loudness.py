"""Twelve loudness features per 0.5 s block and channel (the tutorial `rostock-genre`)."""

import numpy as np

from pipeline.arrays import Bool, Float32, Float64
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.errors import TooShortError, UnsupportedError
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

BLOCK_S = 0.5
SILENCE_DB = -80.0
LUFS_FLOOR_DB = -70.0
GATE_S = 0.4
ABSOLUTE_GATE_LUFS = -70.0
OVERSAMPLING = 4
SPLIT_HZ = 1000
WEIGHTING = "DeMan"
"""pyloudnorm's name for the filters whose coefficients are those of BS.1770 at 48 kHz: a full-scale 997 Hz sine reads
-3.01 LUFS. Its default, "K-weighting", rounds their corner frequencies and reads -3.05."""
MIN_RATE_HZ = 4_000
"""The K-weighting's 1.7 kHz shelf and the band above 1 kHz need to lie below half the rate."""

spec = FeatureSpec(
    name="loudness",
    version=1,
    title="Loudness, peak and crest of 0.5 s blocks",
    columns=(
        "true_peak_lin", "true_peak_lin2", "true_peak_db",
        "rms_lin2", "rms_lin", "rms_db",
        "lufs_lin", "lufs_lin2", "lufs_db",
        "crest_lin", "crest_db", "low_high_ratio",
    ),
    units=("FS", "FS^2", "dBFS", "FS^2", "FS", "dBFS", "1", "1", "LUFS", "1", "dB", "1"),
    row_shape=(12,),
    parameters={
        "block_s": BLOCK_S,
        "silence_db": SILENCE_DB,
        "lufs_floor_db": LUFS_FLOOR_DB,
        "oversampling": OVERSAMPLING,
        "split_hz": SPLIT_HZ,
        "weighting": WEIGHTING,
    },
)  # fmt: skip

# Blocks of all channels measured at once, as many as two vectors have lanes; at a high rate, what fits in 32 MB.
_BLOCKS_AT_ONCE = 32
_SAMPLES_AT_ONCE = 8_000_000


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (12,) per channel and block that is not silent: by channel, then by time.

    Blocks of `int(0.5 * rate)` samples do not overlap; an incomplete last one is dropped. A block whose RMS is at or
    below -80 dBFS is skipped, so a silent file has no rows, which is no failure. Raises `UnsupportedError` for a rate
    below 4 kHz; `finish` raises `TooShortError` for a file shorter than one block.
    """
    if stream.rate_hz < MIN_RATE_HZ:
        raise UnsupportedError(f"a sample rate of {stream.rate_hz:,} Hz; the loudness measure needs {MIN_RATE_HZ:,} Hz")
    return _Loudness(stream)


class _Loudness:
    def __init__(self, stream: StreamInfo) -> None:
        self._rate_hz = stream.rate_hz
        self._length = int(BLOCK_S * stream.rate_hz)
        self._samples = 0
        capacity = min(_SAMPLES_AT_ONCE // self._length, _BLOCKS_AT_ONCE) // stream.channels
        self._planes = np.empty((stream.channels, max(capacity, 1) * self._length), np.float32)
        self._filled = 0
        self._measures: list[Float64] = []

    def push(self, block: AudioBlock) -> None:
        from pipeline.kernels import mixing

        samples = block.samples
        self._samples += len(samples)
        while len(samples):
            piece = samples[: self._planes.shape[1] - self._filled]
            mixing.split_channels(piece, self._planes[:, self._filled :])
            self._filled += len(piece)
            samples = samples[len(piece) :]
            if self._filled == self._planes.shape[1]:
                self._measure()
                self._filled = 0

    def _measure(self) -> None:
        """Measure the whole blocks that are buffered."""
        count = self._filled // self._length
        if count:
            blocks = self._planes[:, : count * self._length].reshape(-1, self._length)
            self._measures.append(_measures(blocks, self._rate_hz).reshape(len(self._planes), count, -1))

    def finish(self) -> FeatureRows:
        if self._samples < self._length:
            raise TooShortError(
                f"{self._samples:,} samples at {self._rate_hz:,} Hz; a block needs {self._length:,} (0.5 s)"
            )
        self._measure()
        measured = np.concatenate(self._measures, axis=1)
        channel, number = np.nonzero(measured[..., _MEAN_SQUARE] > 10 ** (SILENCE_DB / 10))
        return FeatureRows(
            values=features(_with_loudness(measured[channel, number])).astype(np.float32),
            start_s=(number * (self._length / self._rate_hz)).astype(np.float32),
            channel=channel.astype(np.int8),
        )


_PEAK, _MEAN_SQUARE, _RATIO, _LOUDNESS = range(4)


def measure(blocks: Float32, rate_hz: int) -> Float64:
    """Return true peak, mean square, low-high ratio and LUFS of blocks (blocks, samples), (blocks, 4).

    The true peak is linear, 4x oversampled by FFT resampling of the block alone, as the tutorial does; the 48-tap
    filter of BS.1770 annex 2 gives other numbers. The ratio is of the energy up to 1 kHz, without the mean, to that
    above. The loudness is BS.1770's integrated one of the block as one front channel, -inf where all is gated. Silent
    blocks have numbers that mean nothing.
    """
    return _with_loudness(_measures(blocks, rate_hz))


def _with_loudness(measured: Float64) -> Float64:
    """Return the result of `measure` from that of `_measures`."""
    return np.column_stack([measured[:, :_LOUDNESS], gated_loudness(measured[:, _LOUDNESS:])])


def _measures(blocks: Float32, rate_hz: int) -> Float64:
    """Return true peak, mean square, low-high ratio and the mean squares of two gating windows, (blocks, 5)."""
    from pipeline.kernels import halves, peaks, weighting

    length = blocks.shape[1]
    # two windows of 0.4 s, 0.1 s apart
    borders = np.array([0, int(GATE_S * 0.25 * rate_hz), int(GATE_S * rate_hz), length])
    energy, spans = weighting.energies(blocks, rate_hz, borders)
    measured = np.zeros((len(blocks), 5))
    measured[:, _MEAN_SQUARE] = energy / length
    measured[:, _LOUDNESS:] = (spans[:, :2] + spans[:, 1:]) / (GATE_S * rate_hz)
    audible = np.flatnonzero(measured[:, _MEAN_SQUARE] > 10 ** (SILENCE_DB / 10))
    part = blocks if len(audible) == len(blocks) else blocks[audible]
    split = int(SPLIT_HZ / (rate_hz / length)) + 1
    top = max(int(peaks.TRUSTED_SHARE_OF_RATE * length), split)
    low, middle, high = halves.band_energies(part, np.array([1, split, top, length // 2])).T
    measured[audible, _RATIO] = halves.ratio(part, low, middle + high, split)
    # by Parseval's theorem the energy in bins is that of samples, times half their number
    measured[audible, _PEAK] = peaks.true_peaks(part, top_energy=high / (length / 2))
    return measured


def gated_loudness(windows: Float64) -> Float64:
    """Return the integrated loudness of mean squares of K-weighted windows (signals, windows), LUFS, (signals,).

    Gated as in BS.1770-5 annex 1: absolutely at -70 LUFS, then 10 LU below the mean of what is left; -inf where
    nothing is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        loudness = _lufs(windows)
        relative = _lufs(_mean_of(windows, loudness >= ABSOLUTE_GATE_LUFS)) - 10
        gate = (loudness > relative[:, np.newaxis]) & (loudness > ABSOLUTE_GATE_LUFS)
        return _lufs(np.nan_to_num(_mean_of(windows, gate)))


def _mean_of(windows: Float64, gate: Bool) -> Float64:
    mean: Float64 = np.where(gate, windows, 0).sum(axis=1) / gate.sum(axis=1)
    return mean


def _lufs(mean_square: Float64) -> Float64:
    loudness: Float64 = -0.691 + 10 * np.log10(mean_square)
    return loudness


def features(measured: Float64) -> Float64:
    """Return the twelve features, (blocks, 12), from the measures of blocks none of which is silent."""
    peak, rms_lin2, ratio, lufs = (measured[:, i] for i in (_PEAK, _MEAN_SQUARE, _RATIO, _LOUDNESS))
    rms = np.sqrt(rms_lin2)
    lufs_lin2 = 10 ** (lufs / 10)  # of -inf: 0
    crest = peak / rms
    return np.column_stack([
        peak, peak**2, 20 * np.log10(peak),
        rms_lin2, rms, 10 * np.log10(rms_lin2),
        np.sqrt(lufs_lin2), lufs_lin2, np.maximum(lufs, LUFS_FLOOR_DB),
        crest, 20 * np.log10(crest), ratio,
    ])  # fmt: skip
