"""A Keras dataset of shuffled batches, streamed from the store. Imports Keras: to be imported where one is made."""

import math
import threading

import keras
import numpy as np

from pipeline.arrays import Bool, Float32, Int32
from pipeline.errors import UsageError
from pipeline.text import printable
from storage.features.row_stream import RowStream

Batch = tuple[Float32, Int32]
"""Rows (rows, *row_shape) and their class indices (rows,)."""


class FeatureBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches of rows with the class index of each row's track, for `model.fit`.

    Each epoch gives every row once in an order of its own, decided by the seed; the last batch may be shorter. Rows
    with NaN or infinite values are left out of their batch and counted in `dropped`. Batches come in the order in
    which they are asked for, whatever their number: so `fit` may shuffle the numbers, as it does by default, and the
    files are still read in order. One process and no thread of its own; several threads may ask.
    """

    def __init__(self, stream: RowStream, labels: Int32, classes: tuple[str, ...], *, batch: int, name: str) -> None:
        """Stream batches of `batch` rows; `labels` are the class indices of the stream's owners."""
        if batch < 1:
            raise UsageError(f"a batch of {batch} rows: give at least 1")
        super().__init__()
        self.classes = classes
        self.dropped = 0
        """How many rows were left out so far, because they are not finite."""
        self._stream = stream
        self._labels = labels
        self._batch = batch
        self._name = name
        self._epochs = 0
        self._lock = threading.Lock()
        self._place = np.full(len(self), -1, np.int64)
        self._asked = 0

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return math.ceil(self._stream.rows / self._batch)

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return self._stream.rows

    def __getitem__(self, index: int) -> Batch:
        """Return a batch of the epoch: the next one, or again the one that this number got before.

        Raises `StoreError` naming the file, content and family whose bytes are damaged or gone.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        with self._lock:
            if self._place[index] < 0:
                self._place[index] = self._asked
                self._asked += 1
            begin = int(self._place[index]) * self._batch
            values, owner = self._stream.take(begin, min(begin + self._batch, self._stream.rows))
            return self._finite(values, self._labels[owner])

    def _finite(self, values: Float32, labels: Int32) -> Batch:
        # The sum of a row is finite only if all of it is; where it is not, a closer look tells an overflow apart.
        with np.errstate(over="ignore", invalid="ignore"):
            doubtful = not np.isfinite(values.sum())
        if not doubtful:
            return values, labels
        sound: Bool = np.asarray(np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if not sound.any():
            raise UsageError(
                f"family {printable(self._name)}: a whole batch of {len(values)} rows is NaN or infinite; "
                "take a larger batch, or other tracks"
            )
        self.dropped += int(len(sound) - sound.sum())
        return values[sound], labels[sound]

    def on_epoch_begin(self) -> None:
        """Begin the next epoch; Keras calls this."""
        with self._lock:
            self._stream.start(self._epochs)
            self._epochs += 1
            self._place[:] = -1
            self._asked = 0
