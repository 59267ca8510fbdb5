"""Sound of one layout in another one: channels mixed as FFmpeg mixes them, the rate changed by soxr."""

from collections.abc import Iterator

import av
import numpy as np
import soxr
from av.audio.plane import AudioPlane

from pipeline.arrays import Float32
from pipeline.audio.decoders.base import Findings, Layout, Source

# Of the most different rates this is three million frames.
_FRAMES_AT_ONCE = 4_096


class Converter:
    """Converts a sound that comes in pieces."""

    def __init__(self, source: Layout, target: Layout) -> None:
        self._matrix = _mixing_matrix(source, target)
        self._resampler = (
            None
            if source.rate_hz == target.rate_hz
            else soxr.ResampleStream(source.rate_hz, target.rate_hz, target.channels, dtype="float32", quality="HQ")
        )
        self._nothing: Float32 = np.empty((0, target.channels), np.float32)

    def convert(self, samples: Float32) -> Iterator[Float32]:
        """Yield the next samples (frames, channels) in the other layout, as far as they are ready."""
        for first in range(0, len(samples), _FRAMES_AT_ONCE):
            mixed = np.ascontiguousarray(samples[first : first + _FRAMES_AT_ONCE] @ self._matrix)
            yield mixed if self._resampler is None else self._resampler.resample_chunk(mixed)

    def rest(self) -> Iterator[Float32]:
        """Yield what the resampler still holds, once, at the end."""
        if self._resampler is not None:
            yield self._resampler.resample_chunk(self._nothing, last=True)


class ConvertedSource:
    """A source in another layout than its own."""

    def __init__(self, source: Source, layout: Layout) -> None:
        self._source = source
        self.layout = layout
        self._converter = Converter(source.layout, layout)
        self._buffer: Float32 = np.empty((_FRAMES_AT_ONCE, source.layout.channels), np.float32)
        self._pieces = self._converted()
        self._piece: Float32 = np.empty((0, layout.channels), np.float32)

    def read_into(self, block: Float32) -> int:
        """Fill a block with converted samples."""
        filled = 0
        while filled < len(block):
            if not len(self._piece):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._piece = piece
            taken = self._piece[: len(block) - filled]
            block[filled : filled + len(taken)] = taken
            self._piece = self._piece[len(taken) :]
            filled += len(taken)
        return filled

    def seek(self, _frame: int) -> bool:
        """Say no: what a converter makes of a sound depends on all that came before."""
        return False

    def findings(self, frames: int) -> Findings:
        """Return what was found out by the source."""
        return self._source.findings(round(frames / self.layout.rate_hz * self._source.layout.rate_hz))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _converted(self) -> Iterator[Float32]:
        while count := self._source.read_into(self._buffer):
            yield from self._converter.convert(self._buffer[:count])
        yield from self._converter.rest()


def in_layout(source: Source, layout: Layout) -> Source:
    """Return a source that has a layout, or one that converts it."""
    return source if alike(source.layout, layout) else ConvertedSource(source, layout)


def alike(one: Layout, other: Layout) -> bool:
    """Return whether samples of one layout are samples of the other; channels without names may be any."""
    if (one.rate_hz, one.channels) != (other.rate_hz, other.channels):
        return False
    return one.names == other.names or not one.names or not other.names


def describe_converted(seconds: float) -> str:
    """Return in words how much of a file came in another layout."""
    return f"{seconds:.2f} s of another layout converted"


def _mixing_matrix(source: Layout, target: Layout) -> Float32:
    """Return how much of each channel of one layout goes into each of the other, (channels, channels).

    FFmpeg's default mix of the two, which keeps the loudness: one channel is 3 dB less in each of two. Channels that
    nothing is known of are taken for FFmpeg's default layout of their number.
    """
    count = source.channels
    if (source.names or count) == (target.names or target.channels):
        return np.eye(count, dtype=np.float32)
    try:
        # Mixing has no memory: a frame with a one in each channel at a time comes out as the matrix.
        resampler = av.AudioResampler("flt", _ffmpeg_name(target), source.rate_hz)
        ones = np.eye(count, dtype=np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(ones, "flt", _ffmpeg_name(source))
        frame.sample_rate = source.rate_hz
        mixed = [*resampler.resample(frame), *resampler.resample(None)]
        rows = [
            np.frombuffer(memoryview(AudioPlane(each, 0)), np.float32, each.samples * target.channels) for each in mixed
        ]
        return np.concatenate(rows).reshape(count, target.channels)
    except (av.FFmpegError, ValueError):
        # More channels than FFmpeg has layouts for: all alike in each.
        return np.full((count, target.channels), 1 / count, np.float32)


def _ffmpeg_name(layout: Layout) -> str:
    """Return FFmpeg's name of a layout."""
    return "+".join(layout.names) if layout.names else f"{layout.channels}c"
