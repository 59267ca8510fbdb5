"""All channels to one."""

import numpy as np

from pipeline.arrays import Float32
from pipeline.kernels.compiling import kernel


def mean_of_channels(samples: Float32) -> Float32:
    """Return the mean over the channels of samples (n, channels), (n,)."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    mix = np.empty(len(samples), np.float32)
    (_mean_of_two if samples.shape[1] == 2 else _mean)(samples, mix)
    return mix


@kernel
def _mean_of_two(samples: Float32, mix: Float32) -> None:
    half = np.float32(0.5)
    for i in range(len(samples)):
        mix[i] = (samples[i, 0] + samples[i, 1]) * half


@kernel
def _mean(samples: Float32, mix: Float32) -> None:
    channels = samples.shape[1]
    for i in range(len(samples)):
        total = np.float32(0)
        for c in range(channels):
            total += samples[i, c]
        mix[i] = total / np.float32(channels)
