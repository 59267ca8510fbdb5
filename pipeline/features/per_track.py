"""For families with one vector per track: running means and deviations, and the one row."""

from collections.abc import Iterator

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import FeatureRows

STATISTICS = ("mean", "std")
"""The statistics of each column in `Moments.row`, in its order."""


# Rows worked on at once: what is computed of them stays small, however long the track.
_AT_ONCE = 4096


class Moments:
    """Mean and deviation over the rows of frame features that come piece by piece.

    Pieces are merged by Chan, Golub and LeVeque's update ("Algorithms for computing the sample variance", 1983), in
    float64: nothing is lost where a deviation is small beside its mean.
    """

    def __init__(self, columns: int) -> None:
        self._count = 0
        self._mean = np.zeros(columns)
        self._squares = np.zeros(columns)

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Float32 | Float64) -> None:
        """Count in the next rows, (n, columns)."""
        if not len(rows):
            return
        rows = np.asarray(rows, np.float64)
        mean = rows.mean(axis=0)
        count = self._count + len(rows)
        apart = mean - self._mean
        self._squares += np.square(rows - mean).sum(axis=0) + apart**2 * (self._count * len(rows) / count)
        self._mean += apart * (len(rows) / count)
        self._count = count

    def mean(self) -> Float64:
        """Return the mean of each column, (columns,)."""
        return self._mean.copy()

    def std(self) -> Float64:
        """Return the deviation of each column from its mean, (columns,)."""
        deviation: Float64 = np.sqrt(self._squares / max(self._count, 1))
        return deviation

    def row(self) -> Float64:
        """Return the means of all columns, then the deviations, (2 * columns,)."""
        return np.concatenate([self.mean(), self.std()])


def in_pieces(rows: RowBuffer) -> Iterator[Float32]:
    """Yield all rows, a few thousand at a time; nothing is appended after this."""
    for part in rows.parts():
        for first in range(0, len(part), _AT_ONCE):
            yield part[first : first + _AT_ONCE]


def one_row(values: Float64) -> FeatureRows:
    """Return the rows of a track with one vector (columns,), of the mix and of the whole track."""
    return FeatureRows(
        values=values[np.newaxis].astype(np.float32), start_s=np.zeros(1, np.float32), channel=np.full(1, -1, np.int8)
    )
