"""A Keras dataset of shuffled batches, streamed from the store. Imports Keras, so import it only where one is made."""

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

    Each epoch has every row once, in an order of its own that the seed decides; the last batch may be shorter. Rows
    with NaN or infinite values are left out of their batch and counted in `dropped`. The first batch that is requested
    in an epoch is its first one, whatever its index, and so on: `fit` may shuffle the indices, as it does by default,
    and the files are still read in order. Starts no process or thread; several threads may request batches.
    """

    def __init__(self, stream: RowStream, labels: Int32, classes: tuple[str, ...], *, batch: int, name: str) -> None:
        """Stream batches of `batch` rows; `labels` (owners,) are the class indices of the stream's owners."""
        if batch < 1:
            raise UsageError(f"a batch of {batch} rows: give at least 1")
        super().__init__()
        self.classes = classes
        self.dropped = 0
        """How many rows were left out so far because they are not finite."""
        self._stream = stream
        self._labels = labels
        self._batch = batch
        self._name = name
        self._epochs = 0
        self._lock = threading.Lock()
        self._places = np.full(len(self), -1, np.int64)
        """By index, the place of a batch in the epoch's order; -1 before it is requested."""
        self._next_place = 0

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return math.ceil(self._stream.rows / self._batch)

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return self._stream.rows

    def __getitem__(self, index: int) -> Batch:
        """Return a batch (rows, class indices): the next one of the epoch, or the one that `index` had before in it.

        Raises `StoreError` naming the file, content and family whose bytes are damaged or missing.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        with self._lock:
            if self._places[index] < 0:
                self._places[index] = self._next_place
                self._next_place += 1
            begin = int(self._places[index]) * self._batch
            values, owner = self._stream.read(begin, min(begin + self._batch, self._stream.rows))
            return self._finite(values, self._labels[owner])

    def _finite(self, values: Float32, labels: Int32) -> Batch:
        # A finite sum means that all values are finite; one that is not may be an overflow, so then each is checked.
        with np.errstate(over="ignore", invalid="ignore"):
            all_finite = np.isfinite(values.sum())
        if all_finite:
            return values, labels
        finite: Bool = np.asarray(np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if not finite.any():
            raise UsageError(
                f"family {printable(self._name)}: a whole batch of {len(values)} rows is NaN or infinite; "
                "take a larger batch, or other tracks"
            )
        self.dropped += int(len(finite) - finite.sum())
        return values[finite], labels[finite]

    def on_epoch_begin(self) -> None:
        """Begin the next epoch; Keras calls this."""
        with self._lock:
            self._stream.start(self._epochs)
            self._epochs += 1
            self._places[:] = -1
            self._next_place = 0
