"""What families of whole segments have in common: the mix is cut, each segment becomes one row by itself."""

from collections.abc import Callable

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock
from pipeline.audio.framing import frame_count
from pipeline.errors import TooShortError
from pipeline.features import spectral
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import FeatureRows

SEGMENT = 66_150
"""Samples of a segment: 3 s at 22,050 Hz, a tenth of a 30 s file."""
FRAMES = frame_count(SEGMENT)


def clip_range(decibels: Float32) -> Float32:
    """Return decibels with all that is further than 80 dB below their maximum raised to that; changes the array."""
    np.maximum(decibels, decibels.max() - np.float32(spectral.TOP_DB), out=decibels)
    return decibels


class SegmentRows:
    """Computes one row per whole segment of the mix at 22,050 Hz; an incomplete last one is dropped."""

    def __init__(self, shape: tuple[int, ...], row: Callable[[Float32], Float32], *, length: int = SEGMENT) -> None:
        """`row` turns a segment (length,) into a row of a shape."""
        self._segment = np.empty(length, np.float32)
        self._filled = 0
        self._row = row
        self._rows = RowBuffer(shape)

    def push(self, block: AudioBlock) -> None:
        """Add the next block."""
        samples = block.mono
        while len(samples):
            piece = samples[: len(self._segment) - self._filled]
            self._segment[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            samples = samples[len(piece) :]
            if self._filled == len(self._segment):
                self._rows.append(self._row(self._segment)[np.newaxis])
                self._filled = 0

    def finish(self) -> FeatureRows:
        """Return the rows. Raises `TooShortError` for a file shorter than one segment."""
        count, length = len(self._rows), len(self._segment)
        if not count:
            raise TooShortError(
                f"{self._filled:,} samples at {ANALYSIS_RATE_HZ:,} Hz; a segment needs {length:,} "
                f"({length / ANALYSIS_RATE_HZ:.0f} s)"
            )
        return FeatureRows(
            values=self._rows.values(),
            start_s=(np.arange(count) * (length / ANALYSIS_RATE_HZ)).astype(np.float32),
            channel=np.full(count, -1, np.int8),
        )
