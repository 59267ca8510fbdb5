"""What `frame_stats` hears in each frame: mel bands, the shape of the spectrum, contrast, level, sign changes.

With librosa's numbers, gathered block by block: the spectrum of a long recording never lies in memory as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.audio import ANALYSIS_RATE_HZ, AudioBlock
from pipeline.features import spectral
from pipeline.features.growing import GrowingRows
from pipeline.framing import BINS, HOP, N_FFT, frame_count

MFCC_COUNT = 40
MEL_COUNT = 40
SHAPES = {"zcr": "1", "centroid": "kHz", "bandwidth": "kHz", "rolloff": "kHz", "log_flatness": "1", "flux": "dB"}
"""Names and units of the columns of `Frames.shape`."""
CONTRAST_COUNT = 7
"""Bands of spectral contrast: 0 to 200 Hz, then six octaves."""

_CONTRAST_FROM_HZ = 200.0
_CONTRAST_SHARE = 0.02
_ROLLOFF_SHARE = 0.85
_AT_ONCE = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The features of all frames of a signal; the wide ones are computed a few columns at a time."""

    decibels: GrowingRows
    """128 mel bands, dB re 1."""
    mel_decibels: Float32
    """(frames, 40), mel bands, dB re 1."""
    shape: Float64
    """(frames, 6): see `SHAPES`."""
    contrast: Float64
    """(frames, 7), dB: peaks over valleys in each band."""
    rms: Float64
    """(frames,), full scale, of the windowed frames."""

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


class FrameGatherer:
    """Gathers the frame features of a stream."""

    def __init__(self) -> None:
        self.samples = 0
        """Samples of the mix so far."""
        self._decibels = GrowingRows((spectral.MEL_BANDS,))
        self._mel = GrowingRows((MEL_COUNT,))
        self._shapes = GrowingRows((5 + 2 * CONTRAST_COUNT,))
        self._crossings = _SignChanges()

    def push(self, block: AudioBlock) -> None:
        """Take the next block."""
        from pipeline.kernels import mel, shapes

        self.samples += len(block.mono)
        self._decibels.append(block.log_mel)
        self._mel.append(mel.decibels(mel.bands(block.power, MEL_COUNT)))
        self._shapes.append(shapes.spectral_shapes(block.power, _contrast_bands(), rolloff_share=_ROLLOFF_SHARE))
        self._crossings.push(block.mono)

    def finish(self) -> Frames:
        """Return the features of all frames."""
        found = self._shapes.values()
        mel = self._mel.values()
        peaks, valleys = np.split(found[:, 5:].astype(np.float64), 2, axis=1)
        return Frames(
            decibels=self._decibels,
            mel_decibels=mel,
            shape=np.column_stack(
                [
                    self._crossings.rate(frame_count(self.samples)),
                    found[:, :3].astype(np.float64) / 1000,
                    found[:, 3],
                    _flux(mel),
                ]
            ),
            # librosa's floor, 80 dB below the loudest peak and the loudest valley of the whole signal
            contrast=_decibels(peaks) - _decibels(valleys),
            rms=found[:, 4].astype(np.float64),
        )


class _SignChanges:
    """Counts sign changes hop by hop."""

    def __init__(self) -> None:
        self._hops: list[Float32] = []
        self._rest = np.empty(0, np.float32)
        self._before: bool | None = None

    def push(self, mono: Float32) -> None:
        signal = np.concatenate([self._rest, mono])
        whole = len(signal) // HOP * HOP
        self._rest = signal[whole:].copy()
        self._count(signal[:whole])

    def _count(self, signal: Float32) -> None:
        from pipeline.kernels import shapes

        if not len(signal):
            return
        # The ends go on: there is no change before the first sample.
        before = bool(signal[0] < np.float32(-1e-10)) if self._before is None else self._before
        hops, self._before = shapes.sign_changes(signal, HOP, before=before)
        self._hops.append(hops)

    def rate(self, frames: int) -> Float64:
        """Return the share of samples in each centred frame at which the sign changes, (frames,)."""
        self._count(self._rest)
        half = N_FFT // HOP // 2
        hops = np.concatenate(self._hops)
        counted = np.zeros((frames + 2 * half, 2))
        counted[half : half + len(hops)] = hops
        # A frame's first sample changes to nothing before it.
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
    """Return first bin, bin after the last, and bins averaged, for each contrast band, as librosa's choice falls.

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


def _decibels(values: Float64) -> Float64:
    """Return magnitudes as librosa's contrast has them: 10 log10, at most 80 dB below the largest of all."""
    decibels: Float64 = 10 * np.log10(np.maximum(values, 1e-10))
    floored: Float64 = np.maximum(decibels, decibels.max() - spectral.TOP_DB)
    return floored


ColumnsOf = Callable[[Frames, slice], Float64 | Float32]
"""Some columns of one group of frame features, (frames, columns)."""
