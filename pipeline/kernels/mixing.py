"""The mean of all channels, and each channel by itself."""

import numpy as np

from pipeline.arrays import Float32
from pipeline.kernels.compilation import kernel


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


def split_channels(samples: Float32, planes: Float32) -> None:
    """Copy samples (n, channels) to the first n of each plane of planes (channels, n or more)."""
    if samples.shape[1] == 1:
        planes[0, : len(samples)] = samples[:, 0]
    elif samples.shape[1] == 2:
        _split_two(samples, planes[0], planes[1])
    else:
        planes[:, : len(samples)] = samples.T


@kernel
def _split_two(samples: Float32, left: Float32, right: Float32) -> None:
    for i in range(len(samples)):
        left[i] = samples[i, 0]
        right[i] = samples[i, 1]
