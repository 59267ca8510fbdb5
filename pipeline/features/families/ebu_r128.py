"""Loudness of the whole track as broadcasters and streaming services measure it (EBU R 128)."""

from collections.abc import Sequence
from math import log10

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.audio.channels import ChannelNames
from pipeline.errors import TooShortError, UnsupportedError
from pipeline.features.families.loudness import ABSOLUTE_GATE_LUFS, GATE_S, LUFS_FLOOR_DB, MIN_RATE_HZ, gated_loudness
from pipeline.features.per_track import one_row
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

FLOOR_DB = -120.0
"""The value of maxima and peaks at or below this, and of silence."""
SHORT_TERM_S = 3.0
RANGE_GATE_LU = -20.0
RANGE_SHARES = (0.10, 0.95)

_SURROUND = 1.41
_SURROUNDS = frozenset({"SL", "SR", "WL", "WR", "SDL", "SDR"})
_BACKS = frozenset({"BL", "BR"})
_EFFECTS = frozenset({"LFE", "LFE2"})
# Of files that do not say which channels they have: FLAC's order, and before it WAVE's.
_ORDERS: dict[int, ChannelNames] = {
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
# Momentary and short-term loudness are measured every 10 ms: of a sound just as long as the window, a maximum read
# only every 100 ms is up to 0.58 dB low, and Tech 3341 allows 0.1.
_CELLS_PER_S = 100
# The windows of the integrated loudness and of the range begin every 100 ms.
_STRIDE = 10
_GATE_CELLS = round(GATE_S * _CELLS_PER_S)
_SHORT_TERM_CELLS = round(SHORT_TERM_S * _CELLS_PER_S)
# Past samples that the interpolating filter needs.
_HISTORY = 11

spec = FeatureSpec(
    name="ebu_r128",
    version=1,
    title="EBU R 128 loudness, range and true peak of the whole track",
    columns=("integrated", "range", "momentary_max", "short_term_max", "true_peak", "sample_peak"),
    units=("LUFS", "LU", "LUFS", "LUFS", "dBTP", "dBFS"),
    row_shape=(6,),
    parameters={
        "momentary_s": GATE_S,
        "short_term_s": SHORT_TERM_S,
        "step_s": 1 / _CELLS_PER_S,
        "gated_step_s": _STRIDE / _CELLS_PER_S,
        "lufs_floor_db": LUFS_FLOOR_DB,
        "floor_db": FLOOR_DB,
        "true_peak": "BS.1770-5 annex 2, 4x",
    },
)


def channel_weights(channels: int, names: ChannelNames = ()) -> tuple[float, ...]:
    """Return each channel's weight in the loudness, (channels,), after BS.1770-5, annexes 1 and 3.

    The low frequency effects are left out; 1.41 (+1.5 dB) is for loudspeakers at 60 to 120 degrees, which are the side
    and wide ones, and the back left and right of layouts without side ones: the surrounds of quadraphony and 5.1. The
    others have 1, so have the back ones of 7.1 (135 degrees) and a back centre (180).
    Of a file that does not say which channels it has, the order is taken to be that of WAVE and FLAC: L R C LFE, then
    the back and side channels; other numbers than 4 to 8 count alike. One channel counts as one front channel: a mono
    file reads 3 LU less than the same sound from two loudspeakers; `ebu_r128_dual_mono` measures it as from two.
    """
    names = names or _ORDERS.get(channels, ())
    if len(names) != channels or channels == 1:  # one channel by itself is the sound, whatever it was cut out of
        return (1.0,) * channels
    surrounds = _SURROUNDS if not _SURROUNDS.isdisjoint(names) else _BACKS
    return tuple(0.0 if name in _EFFECTS else _SURROUND if name in surrounds else 1.0 for name in names)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (6,) of the whole track, all channels together, at the file's own rate.

    - `integrated`: ITU-R BS.1770-5 annex 1, both gates; -70 LUFS where everything is gated.
    - `range`: EBU Tech 3342, from the short-term loudness every 100 ms; 0 where all is gated or the track is under 3 s.
    - `momentary_max`, `short_term_max`: EBU Tech 3341, windows of 400 ms and 3 s that begin every 10 ms. A track under
      3 s counts as that track and silence.
    - `true_peak`: BS.1770-5 annex 2, 4x oversampled by its filter of 48 taps, but no less than the sample peak. The
      filter is the standard's for 48 kHz; at every other rate the same coefficients serve, which makes it 4x there too
      and reads a sine at the same part of the rate alike. All channels count, the LFE too.
    - `sample_peak`: the largest magnitude of a sample.

    At 44.1 and 48 kHz a full-scale sine of 997 Hz in a front channel reads -3.01 LUFS within 0.01; at other rates the
    weighting's bilinear transform bends a little there, and it reads so within 0.04.

    See `channel_weights` for the channels. Raises `UnsupportedError` for a rate below 4 kHz; `finish` raises
    `TooShortError` for a file shorter than 400 ms.
    """
    require_rate(stream)
    return Meter(stream, channel_weights(stream.channels, stream.channel_names))


def require_rate(stream: StreamInfo) -> None:
    """Raise `UnsupportedError` for a rate that the weighting's filters cannot have."""
    if stream.rate_hz < MIN_RATE_HZ:
        raise UnsupportedError(f"a sample rate of {stream.rate_hz:,} Hz; the loudness measure needs {MIN_RATE_HZ:,} Hz")


class Meter:
    """Measures a stream whose channels have some weights, one per channel."""

    def __init__(self, stream: StreamInfo, weights: Sequence[float]) -> None:
        from pipeline.kernels import weighting

        self._rate_hz = stream.rate_hz
        self._weights = np.array(weights)
        self._filters = weighting.k_filters(stream.rate_hz)
        self._state = np.zeros((stream.channels, 4))
        # The samples of the next cell so far, behind the past ones that the interpolation needs.
        self._tail = np.zeros((stream.channels, _HISTORY), np.float32)
        self._cells = 0
        self._peaks = np.zeros(2)
        self._windows = _Windows(stream.rate_hz)

    def push(self, block: AudioBlock) -> None:
        """Measure the next block."""
        from pipeline.kernels import mixing, programme

        overlap = self._tail.shape[1]
        planes = np.empty((len(self._tail), overlap + len(block.samples)), np.float32)
        planes[:, :overlap] = self._tail
        mixing.split_channels(block.samples, planes[:, overlap:])
        borders = self._borders(planes.shape[1] - _HISTORY)
        self._peaks = programme.peaks(planes, borders, self._peaks)
        energies = programme.weighted_energies(planes[:, _HISTORY:], borders, self._filters, self._state)
        self._windows.push((energies * self._weights).sum(axis=1))
        self._cells += len(energies)
        self._tail = planes[:, borders[-1] :].copy()

    def _borders(self, samples: int) -> Int64:
        """Return where the whole cells among so many samples begin and end, from the first one's begin on."""
        count = int(samples * _CELLS_PER_S / self._rate_hz) + 2
        # to the nearest sample: 10 ms need not be whole samples
        borders = (np.arange(self._cells, self._cells + count) * 2 * self._rate_hz + _CELLS_PER_S) // (2 * _CELLS_PER_S)
        borders -= borders[0]
        return borders[borders <= samples]

    def finish(self) -> FeatureRows:
        """Return the row."""
        from pipeline.kernels import programme

        # The filter rings on after the last sample.
        tail = np.pad(self._tail, ((0, 0), (0, _HISTORY)))
        sample_peak, true_peak = programme.peaks(tail, np.array([0, tail.shape[1] - _HISTORY]), self._peaks)
        if self._cells < _GATE_CELLS:
            raise TooShortError(f"{self._cells / _CELLS_PER_S:.2f} s; the gated loudness needs {GATE_S} s")
        windows = self._windows
        peaks = (max(20 * log10(max(peak, 1e-30)), FLOOR_DB) for peak in (max(true_peak, sample_peak), sample_peak))
        maxima = (max(_lufs(power), FLOOR_DB) for power in (windows.highest_momentary, windows.highest_short_term))
        gated = float(gated_loudness(np.concatenate(windows.momentary)[np.newaxis])[0])
        return one_row(
            np.array([max(gated, LUFS_FLOOR_DB), loudness_range(np.concatenate(windows.short_term)), *maxima, *peaks])
        )


class _Windows:
    """Sums cells up to the windows of momentary and short-term loudness: mean squares of all channels together."""

    def __init__(self, rate_hz: int) -> None:
        self._samples_per_cell = rate_hz / _CELLS_PER_S
        # As if silence had come before.
        self._history = np.zeros(_SHORT_TERM_CELLS - 1)
        self._cells = 0
        self.highest_momentary = 0.0
        self.highest_short_term = 0.0
        self.momentary: list[Float64] = [np.empty(0)]
        """Mean squares of the windows of 400 ms that begin every 100 ms."""
        self.short_term: list[Float64] = [np.empty(0)]
        """Mean squares of the windows of 3 s that begin every 100 ms."""

    def push(self, energies: Float64) -> None:
        """Add the energies of the next cells, (cells,)."""
        if not len(energies):
            return
        cells = np.concatenate([self._history, energies])
        self._history = cells[len(energies) :].copy()
        # One by one, and not by running sums: what comes after a loud passage is as exact as what comes before.
        strides = _sums(cells, range(_STRIDE))
        first = _SHORT_TERM_CELLS - _GATE_CELLS
        momentary = _sums(strides[first:], range(0, _GATE_CELLS, _STRIDE)) / (_GATE_CELLS * self._samples_per_cell)
        short_term = _sums(strides, range(0, _SHORT_TERM_CELLS, _STRIDE)) / (_SHORT_TERM_CELLS * self._samples_per_cell)
        self.highest_momentary = max(self.highest_momentary, float(momentary.max()))
        self.highest_short_term = max(self.highest_short_term, float(short_term.max()))
        ends = np.arange(self._cells, self._cells + len(energies)) + 1
        self._cells += len(energies)
        for length, windows, gated in (
            (_GATE_CELLS, momentary, self.momentary),
            (_SHORT_TERM_CELLS, short_term, self.short_term),
        ):
            gated.append(windows[(ends >= length) & (ends % _STRIDE == 0)])


def _sums(values: Float64, offsets: Sequence[int]) -> Float64:
    """Return at each index the sum of the values at the offsets from it, up to the last index with all of them."""
    count = len(values) - offsets[-1]
    total = np.zeros(count)
    for offset in offsets:
        total += values[offset : offset + count]
    return total


def loudness_range(short_term: Float64) -> float:
    """Return the loudness range (EBU Tech 3342) of mean squares of K-weighted windows of 3 s, (windows,), in LU.

    From the 10th to the 95th percentile of the loudness of windows from -70 LUFS, and from 20 LU below the mean of
    those, on; 0 where there are none.
    """
    gated = short_term[short_term >= _mean_square(ABSOLUTE_GATE_LUFS)]
    if not len(gated):
        return 0.0
    gated = np.sort(gated[gated >= gated.mean() * 10 ** (RANGE_GATE_LU / 10)])
    low, high = (gated[int(share * (len(gated) - 1) + 0.5)] for share in RANGE_SHARES)
    return _lufs(high) - _lufs(low)


def _lufs(mean_square: float) -> float:
    return -0.691 + 10 * log10(max(mean_square, 1e-30))


def _mean_square(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
