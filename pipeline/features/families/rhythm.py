"""How often something begins, how fast the beat goes, and how clear it is."""

from math import ceil, floor

import numpy as np

from pipeline.arrays import Bool, Float64
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.audio.framing import HOP, N_FFT
from pipeline.features import spectral
from pipeline.features.per_track import in_pieces, one_row
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

FRAMES_PER_S = ANALYSIS_RATE_HZ / HOP
LEAST_S = 1.0
SLOWEST_BPM, FASTEST_BPM = 30.0, 240.0
PRIOR_BPM, PRIOR_OCTAVES = 120.0, 1.0
EVEN_SHARE = 0.95
"""A pulse twice or three times as fast, and nearly as regular, is the beat,"""
EVEN_BPM = 210.0
"""unless it is faster than this."""

# librosa's peak picking: frames considered before and behind a peak, and how far it stands out, the highest being 1.
_MAX_BEFORE, _MEAN_BEFORE, _MEAN_BEHIND, _WAIT = 1, 4, 4, 1
_DELTA = 0.07

_SPILL_BYTES = 16 * 2**20

spec = FeatureSpec(
    name="rhythm",
    version=1,
    title="Onset rate, tempo and how clear the beat is",
    columns=("onset_rate", "tempo", "tempo_strength"),
    units=("1/s", "BPM", "1"),
    row_shape=(3,),
    parameters={
        **spectral.PARAMETERS,
        "n_mels": spectral.MEL_BANDS,
        "top_db": spectral.TOP_DB,
        "delta": _DELTA,
        "slowest_bpm": SLOWEST_BPM,
        "fastest_bpm": FASTEST_BPM,
        "prior_bpm": PRIOR_BPM,
        "prior_octaves": PRIOR_OCTAVES,
        "even_share": EVEN_SHARE,
        "even_bpm": EVEN_BPM,
    },
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (3,) of the mix at 22,050 Hz.

    - `onset_rate`: onsets a second, picked from the onset strength as `librosa.onset.onset_detect` does.
    - `tempo`: beats a minute, one number for the track; 0 where nothing repeats. See `tempo`.
    - `tempo_strength`: the autocorrelation of the onset strength at that beat, 0 to 1.

    The onset strength is the spectral flux in 128 mel bands, dB (`librosa.onset.onset_strength`; S. Böck and G. Widmer,
    "Maximum filter vibrato suppression for onset detection", DAFx 2013, without the filter). Raises `TooShortError`
    for a file shorter than a second.
    """
    del stream  # any rate, any channels
    return _Rhythm()


class _Rhythm:
    def __init__(self) -> None:
        self._samples = 0
        # The floor under the decibels depends on the loudest band of all: until it is known, they are kept.
        self._decibels = RowBuffer((spectral.MEL_BANDS,), spill_bytes=_SPILL_BYTES)

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        self._decibels.append(block.log_mel)

    def finish(self) -> FeatureRows:
        spectral.check_length(self._samples, int(LEAST_S * ANALYSIS_RATE_HZ))
        strength = self._onset_strength()
        rate = onsets(strength).sum() * ANALYSIS_RATE_HZ / self._samples
        return one_row(np.array([rate, *tempo(strength)]))

    def _onset_strength(self) -> Float64:
        """Return the mean rise over the mel bands from the frame before, dB, (frames,); 0 in the first."""
        floor_db = np.float32(self._decibels.maximum() - spectral.TOP_DB)
        previous = np.empty((0, spectral.MEL_BANDS), np.float32)
        strength = [np.zeros(1)]
        for part in in_pieces(self._decibels):
            joined = np.concatenate([previous, np.maximum(part, floor_db)])
            previous = joined[-1:]
            strength.append(np.maximum(joined[1:] - joined[:-1], 0).mean(axis=1, dtype=np.float64))
        return np.concatenate(strength)


def onsets(strength: Float64) -> Bool:
    """Return in which frames of an onset strength (frames,) something begins, (frames,).

    librosa's `onset_detect` with its defaults: peaks that are 0.07 of the highest above the mean of the 0.1 s before
    and behind them, not in adjacent frames. It shifts the strength by half a window, and so loses the onsets of the
    last two frames.
    """
    shift = N_FFT // (2 * HOP)
    shifted = np.concatenate([np.zeros(shift), strength])[: len(strength)]
    is_onset = np.zeros(len(shifted), np.bool_)
    highest = shifted.max()
    if highest <= 0:
        return is_onset
    shifted /= highest
    sums = np.concatenate([[0.0], np.cumsum(shifted)])
    frames = np.arange(len(shifted))
    first, last = np.maximum(frames - _MEAN_BEFORE, 0), np.minimum(frames + _MEAN_BEHIND + 1, len(shifted))
    outstanding = shifted >= (sums[last] - sums[first]) / (last - first) + _DELTA
    outstanding[_MAX_BEFORE:] &= shifted[_MAX_BEFORE:] >= shifted[:-_MAX_BEFORE]
    previous = -_WAIT - 1
    for frame in np.flatnonzero(outstanding):
        if frame - previous > _WAIT:
            is_onset[frame] = True
            previous = int(frame)
    return is_onset


def tempo(strength: Float64) -> tuple[float, float]:
    """Return the tempo of an onset strength (frames,), beats a minute, and the autocorrelation there; 0, 0 for none.

    The period with the highest autocorrelation times a log-normal prior of an octave around 120 BPM (D. P. W. Ellis,
    "Beat tracking by dynamic programming", 2007; `librosa.feature.tempo`), among 30 to 240 BPM and up to half the
    length. A half or a third of it is taken instead where the pulse is as even there, up to 210 BPM. The
    prior cannot know how a listener taps: the result may be half or twice the tempo, most likely below 100 and above
    150 BPM. The period is refined at its multiples, to much less than a frame.
    """
    correlation = _autocorrelation(strength)
    slowest = min(int(60 * FRAMES_PER_S / SLOWEST_BPM), len(correlation) - 2)
    periods = np.arange(ceil(60 * FRAMES_PER_S / FASTEST_BPM), slowest + 1)
    if not len(periods) or not correlation[0]:
        return 0.0, 0.0
    octaves = np.log2(60 * FRAMES_PER_S / periods / PRIOR_BPM)
    score = correlation[periods] * np.exp(-0.5 * np.square(octaves / PRIOR_OCTAVES))
    if score.max() <= 0:
        return 0.0, 0.0
    period, strongest = _peak_near(correlation, int(periods[score.argmax()]))
    for parts in (3, 2):
        near = period / parts
        if 60 * FRAMES_PER_S / near > EVEN_BPM:
            continue
        faster, height = _peak_near(correlation, _highest_near(correlation, near))
        if height >= EVEN_SHARE * strongest:
            period, strongest = faster, height
            break
    return 60 * FRAMES_PER_S / _refined_period(correlation, period), float(np.clip(strongest, 0, 1))


def _autocorrelation(strength: Float64) -> Float64:
    """Return the autocorrelation of an onset strength up to 8 s or half its length, 1 at lag 0; zeros for none.

    Onsets are smoothed over two frames, so that beats that do not fall on frames are still alike.
    """
    lags = min(len(strength) // 2, int(8 * FRAMES_PER_S))
    smooth = np.convolve(strength, [0.25, 0.5, 0.25], mode="same")
    swing = smooth - smooth.mean()
    energy = np.square(np.abs(np.fft.rfft(swing, len(swing) + lags)))
    # each lag by as many products as there are: a short sound's long lags do not count less
    products = np.fft.irfft(energy, len(swing) + lags)[:lags] / (len(swing) - np.arange(lags))
    if lags == 0 or products[0] <= np.finfo(np.float32).eps * np.square(smooth).mean():
        return np.zeros(lags)
    correlation: Float64 = products / products[0]
    return correlation


def _highest_near(correlation: Float64, lag: float) -> int:
    """Return the lag of the highest value within a frame and a half of a lag."""
    first = max(ceil(lag - 1.5), 1)
    return first + int(correlation[first : floor(lag + 1.5) + 1].argmax())


def _peak_near(correlation: Float64, lag: int) -> tuple[float, float]:
    """Return position and height of the peak of the parabola through a lag and its neighbours, else of the lag."""
    if not 0 < lag < len(correlation) - 1:
        return float(lag), float(correlation[lag])
    left, centre, right = correlation[lag - 1 : lag + 2]
    bend = left - 2 * centre + right
    if bend >= 0 or centre < max(left, right):
        return float(lag), float(centre)
    offset = 0.5 * (left - right) / bend
    return lag + offset, float(centre - 0.25 * (left - right) * offset)


def _refined_period(correlation: Float64, period: float) -> float:
    """Return the period from the peak at its furthest multiple, doubling, at which it still repeats."""
    height = correlation[round(period)]
    multiple = 2
    while multiple * period < len(correlation) - 3:
        lag = _highest_near(correlation, multiple * period)
        if correlation[lag] < 0.5 * height:
            break
        period = _peak_near(correlation, lag)[0] / multiple
        multiple *= 2
    return period
