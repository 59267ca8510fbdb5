"""Frames of the mix at 22,050 Hz as librosa cuts them, from a stream."""

import numpy as np

from pipeline.arrays import Float32

N_FFT = 2048
HOP = 512
BINS = N_FFT // 2 + 1


def frame_count(samples: int) -> int:
    """Return how many centred frames a signal of so many samples has: one per hop, and one."""
    return 1 + samples // HOP


class FrameCutter:
    """Cuts a signal that comes in pieces into centred frames; joined, they are those of the whole signal."""

    def __init__(self) -> None:
        self._tail = np.zeros(N_FFT // 2, np.float32)
        self._samples = 0
        self._frames = 0

    def cut(self, piece: Float32, *, last: bool) -> tuple[Float32, int]:
        """Return a signal and how many frames it has, from its first sample on: those that the piece (n,) completes.

        At the end of the stream, all others.
        """
        self._samples += len(piece)
        padding = np.zeros(N_FFT // 2 if last else 0, np.float32)
        signal = np.concatenate([self._tail, piece, padding])
        frames = max((len(signal) - N_FFT) // HOP + 1, 0)
        if last:
            frames = frame_count(self._samples) - self._frames
        self._frames += frames
        self._tail = signal[frames * HOP :].copy()
        return signal, frames


def power_of_frames(signal: Float32) -> Float32:
    """Return the power of all centred frames of a whole signal (n,), (frames, 1025)."""
    from pipeline.kernels import spectra

    return spectra.power(*FrameCutter().cut(signal, last=True))


def mel_of_frames(signal: Float32) -> Float32:
    """Return the power in 128 mel bands of all centred frames of a whole signal (n,), (frames, 128)."""
    from pipeline.kernels import spectra

    return spectra.mel_bands(*FrameCutter().cut(signal, last=True))
