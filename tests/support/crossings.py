"""The zero-crossing rate by its formula."""

import librosa
import numpy as np


def zero_crossing_rate(signal, *, frame_length=2048, hop_length=512):
    """Return each frame's share of samples whose sign is not that of the sample before, as librosa frames and counts.

    Not by librosa itself: its helper is compiled at the first use, and two processes that do so at once on a fresh
    machine, as test processes are, may crash.
    """
    padded = np.pad(signal, frame_length // 2, mode="edge")
    frames = librosa.util.frame(padded, frame_length=frame_length, hop_length=hop_length)
    negative = np.signbit(np.where(np.abs(frames) <= 1e-10, 0, frames))
    return (negative[1:] != negative[:-1]).sum(axis=0) / frame_length
