"""The samples of FFmpeg's frames as 32-bit floats."""

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane

from pipeline.arrays import Float32

Piece = AudioFrame | Float32
"""A frame of FFmpeg's, or samples (frames, channels) that were converted already."""

_KINDS: dict[str, tuple[type[np.generic], float, float]] = {
    "u8": (np.uint8, 128.0, 2.0**-7),
    "s16": (np.int16, 0.0, 2.0**-15),
    "s32": (np.int32, 0.0, 2.0**-31),
    "s64": (np.int64, 0.0, 2.0**-63),
    "flt": (np.float32, 0.0, 1.0),
    "dbl": (np.float64, 0.0, 1.0),
}
"""By FFmpeg's sample format: the type, its middle, and the factor to full scale 1.0."""


def length_of(piece: AudioFrame | Float32) -> int:
    """Return how many frames a piece of sound has."""
    return piece.samples if isinstance(piece, AudioFrame) else len(piece)


def copy_samples(frame: AudioFrame | Float32, out: Float32, *, start: int) -> None:
    """Write the samples of a piece from `start` on to `out`, (frames, channels), with full scale at 1.0."""
    if not isinstance(frame, AudioFrame):
        out[:] = frame[start : start + len(out)]
        return
    dtype, middle, scale = _KINDS[frame.format.name.removesuffix("p")]
    channels, end = out.shape[1], start + len(out)
    if frame.format.is_planar:
        # Not `frame.planes`: it looks for the end of a list that has none with more than eight channels.
        for channel in range(channels):
            out[:, channel] = np.frombuffer(memoryview(AudioPlane(frame, channel)), dtype, end)[start:]
    else:
        packed = np.frombuffer(memoryview(AudioPlane(frame, 0)), dtype, end * channels)
        out[:] = packed[start * channels :].reshape(-1, channels)
    if middle:
        out -= middle
    if scale != 1.0:
        out *= scale
