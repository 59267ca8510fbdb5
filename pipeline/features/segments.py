"""For families with a row per segment of the mix: segments that do not overlap, cut from a stream."""

from collections.abc import Iterator

import numpy as np

from pipeline.arrays import Float32


class SegmentCutter:
    """Cuts a signal that comes in pieces into segments of a number of samples; a rest is left over."""

    def __init__(self, length: int) -> None:
        self._segment = np.empty(length, np.float32)
        self.filled = 0
        """Samples of the segment that is not whole yet."""

    def cut(self, piece: Float32) -> Iterator[Float32]:
        """Yield the segments, (length,), that the piece (n,) completes; all are the same memory."""
        while len(piece):
            taken = piece[: len(self._segment) - self.filled]
            self._segment[self.filled : self.filled + len(taken)] = taken
            self.filled += len(taken)
            piece = piece[len(taken) :]
            if self.filled == len(self._segment):
                yield self._segment
                self.filled = 0
