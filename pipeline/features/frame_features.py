"""What `frame_stats` measures in each frame: mel bands, the shape of the spectrum, contrast, level, sign changes.

With librosa's numbers, block by block: the spectrum of a long recording is never in memory as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock
from pipeline.audio.framing import BINS, HOP, N_FFT, frame_count
from pipeline.features import spectral
from pipeline.features.row_buffer import RowBuffer

MFCC_COUNT = 40
MEL_COUNT = 40
SHAPES = {"zcr": "1", "centroid": "kHz", "bandwidth": "kHz", "rolloff": "kHz", "log_flatness": "1", "flux": "dB"}
"""Names and units of the columns of `Frames.shape`."""
CONTRAST_COUNT = 7
"""Bands of spectral contrast: 0 to 200 Hz, then six octaves."""
ROLLOFF_SHARE = 0.85
"""The roll-off is the frequency below which this share of the magnitudes lies."""

_CONTRAST_FROM_HZ = 200.0
_CONTRAST_SHARE = 0.02
_AT_ONCE = 8192
_LEAST_MAGNITUDE = 1e-10
# The kernel's columns after centroid, bandwidth and roll-off.
_FLATNESS, _RMS, _CONTRAST = 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The features of all frames of a signal; the wide ones are computed a few columns at a time."""

    decibels: RowBuffer
    """128 mel bands, dB re 1."""
    mel_decibels: Float32
    """(frames, 40), mel bands, dB re 1."""
    shapes: Float32
    """(frames, 19): what `spectral_shapes` returns."""
    crossings: Float64
    """(frames,): the share of samples at which the sign changes."""
    flux: Float64
    """(frames,), dB: the mean rise over the mel bands."""

    @property
    def rms(self) -> Float64:
        """The level of the windowed frames, (frames,), full scale."""
        return self.shapes[:, _RMS].astype(np.float64)

    def shape(self, columns: slice) -> Float64:
        """Return some of the columns that `SHAPES` names, (frames, columns)."""
        shape = np.empty((len(self.shapes), len(SHAPES)))
        shape[:, 0] = self.crossings
        shape[:, 1:4] = self.shapes[:, :_FLATNESS]
        shape[:, 1:4] /= 1000
        shape[:, 4] = self.shapes[:, _FLATNESS]
        shape[:, 5] = self.flux
        return shape[:, columns]

    def contrast(self, columns: slice) -> Float64:
        """Return peaks over valleys in some of the bands, (frames, columns), dB.

        With librosa's floor, 80 dB below the loudest peak and the loudest valley of the whole signal.
        """
        peaks, valleys = np.split(self.shapes[:, _CONTRAST:], 2, axis=1)
        return _floored_decibels(peaks, columns) - _floored_decibels(valleys, columns)

    def mfcc(self, columns: slice) -> Float32:
        """Return some of the 40 MFCCs, (frames, columns), dB."""
        from pipeline.kernels import mel

        cosines = mel.cosines(spectral.MEL_BANDS, MFCC_COUNT)[:, columns]
        floor = np.float32(self.decibels.maximum() - spectral.TOP_DB)
        return np.concatenate([np.maximum(part, floor) @ cosines for part in self.decibels.parts()])

    def mel(self, columns: slice) -> Float32:
        """Return some of the 40 mel bands, (frames, columns), at most 80 dB below the loudest of all."""
        floor = np.float32(self.mel_decibels.max() - spectral.TOP_DB)
        return np.maximum(self.mel_decibels[:, columns], floor)


class FrameAccumulator:
    """Computes the frame features of a stream."""

    def __init__(self) -> None:
        self.samples = 0
        """Samples of the mix so far."""
        self._decibels = RowBuffer((spectral.MEL_BANDS,))
        self._mel = RowBuffer((MEL_COUNT,))
        self._shapes = RowBuffer((5 + 2 * CONTRAST_COUNT,))
        self._crossings = SignChanges()

    def push(self, block: AudioBlock) -> None:
        """Add the frames of the next block."""
        from pipeline.kernels import mel

        self.samples += len(block.mono)
        self._decibels.append(block.log_mel)
        self._mel.append(mel.decibels(mel.bands(block.power, MEL_COUNT)))
        self._shapes.append(block.once(spectral_shapes))
        self._crossings.push(block.mono)

    def finish(self) -> Frames:
        """Return the features of all frames."""
        mel = self._mel.values()
        return Frames(
            decibels=self._decibels,
            mel_decibels=mel,
            shapes=self._shapes.values(),
            crossings=self._crossings.rate(frame_count(self.samples)),
            flux=_flux(mel),
        )


def spectral_shapes(block: AudioBlock) -> Float32:
    """Return the shape of the spectrum of a block's frames, (frames, 19): see `pipeline.kernels.shapes`."""
    from pipeline.kernels import shapes

    return shapes.spectral_shapes(block.power, _contrast_bands(), rolloff_share=ROLLOFF_SHARE)


class SignChanges:
    """Counts sign changes hop by hop, of a signal that comes in pieces."""

    def __init__(self) -> None:
        self._hops: list[Float32] = []
        self._tail = np.empty(0, np.float32)
        self._last_sign: bool | None = None

    def push(self, mono: Float32) -> None:
        """Count in the next samples, (n,)."""
        signal = np.concatenate([self._tail, mono])
        complete = len(signal) // HOP * HOP
        self._tail = signal[complete:].copy()
        self._count(signal[:complete])

    def _count(self, signal: Float32) -> None:
        from pipeline.kernels import shapes

        if not len(signal):
            return
        # As if the first sample were held before it: there is no change at the start.
        last_sign = bool(signal[0] < np.float32(-1e-10)) if self._last_sign is None else self._last_sign
        hops, self._last_sign = shapes.sign_changes(signal, HOP, before=last_sign)
        self._hops.append(hops)

    def rate(self, frames: int) -> Float64:
        """Return the share of samples in each centred frame at which the sign changes, (frames,)."""
        self._count(self._tail)
        half = N_FFT // HOP // 2
        hops = np.concatenate(self._hops)
        counted = np.zeros((frames + 2 * half, 2))
        counted[half : half + len(hops)] = hops
        # The first sample of a frame counts no change from the one before it.
        count: Float64 = sum((counted[i : i + frames, 0] for i in range(2 * half)), -counted[:frames, 1])
        return count / N_FFT


def _flux(mel: Float32) -> Float64:
    """Return the mean rise over the mel bands from the frame before, dB, (frames,); 0 in the first."""
    floor = np.float32(mel.max() - spectral.TOP_DB)
    flux = np.zeros(len(mel))
    for first in range(1, len(mel), _AT_ONCE):
        part = np.maximum(mel[first - 1 : first + _AT_ONCE], floor)
        flux[first : first + _AT_ONCE] = np.maximum(part[1:] - part[:-1], 0).mean(axis=1, dtype=np.float64)
    return flux


@lru_cache(maxsize=1)
def _contrast_bands() -> Int64:
    """Return first bin, bin after the last, and bins averaged, for each contrast band, as librosa chooses them.

    A band takes in the bin below it; but for the topmost, its last bin is left out of the sorting and counted for
    the share.
    """
    frequencies = np.arange(BINS) * (ANALYSIS_RATE_HZ / N_FFT)
    edges = [0.0, *(_CONTRAST_FROM_HZ * 2.0**octave for octave in range(CONTRAST_COUNT))]
    bands = []
    for k in range(CONTRAST_COUNT):
        inside = np.flatnonzero((frequencies >= edges[k]) & (frequencies <= edges[k + 1]))
        topmost = k == CONTRAST_COUNT - 1
        first = int(inside[0]) - (k > 0)
        end = len(frequencies) if topmost else int(inside[-1]) + 1
        bands.append((first, end if topmost else end - 1, max(int(np.rint(_CONTRAST_SHARE * (end - first))), 1)))
    return np.array(bands)


def _floored_decibels(values: Float32, columns: slice) -> Float64:
    """Return some columns of magnitudes (frames, 7) in dB, 10 log10, as librosa's contrast has them."""
    loudest = 10 * np.log10(max(float(values.max()), _LEAST_MAGNITUDE))
    decibels: Float64 = 10 * np.log10(np.maximum(values[:, columns].astype(np.float64), _LEAST_MAGNITUDE))
    np.maximum(decibels, loudest - spectral.TOP_DB, out=decibels)
    return decibels


ColumnsOf = Callable[[Frames, slice], Float64 | Float32]
"""Some columns of one group of frame features, (frames, columns)."""
