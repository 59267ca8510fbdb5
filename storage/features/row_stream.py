"""The rows of one family in random order, from a store larger than the memory, reproducibly.

The rows are cut into runs of up to 64 that lie next to each other in a file. Each epoch shuffles the runs, reads a
window of them in file order, and gives the rows of the window out in random order: reading is nearly sequential and
the memory is that of one window, whatever the size of the store. Every row comes exactly once per epoch. The order
depends on the seed, the epoch and how the store's files lie; compaction between two uses of a seed changes it.

Every content's CRC-32 is checked in every epoch, at the latest when its last row is read.
"""

import numpy as np

from pipeline.arrays import Float32, Int32, Int64
from pipeline.features.spec import FeatureSpec
from storage.filestore.format.codec import Ids
from storage.filestore.layout import Layout
from storage.filestore.rows.extents import Extents, locate
from storage.filestore.rows.pieces import PieceReader, Pieces, bytes_of_row

RUN_ROWS = 64
"""The longest run; a longer content is cut into equal runs."""

RUN_BYTES = 1 << 20
"""Rows may be large: a run of more than one row is no larger than this."""


class RowStream:
    """The rows of some contents of one family, an epoch after the other; one thread at a time.

    Holds no open file. `contents` may name a content several times, once for each track that has it; the positions
    in it are the owners of the rows.
    """

    def __init__(self, layout: Layout, spec: FeatureSpec, contents: Ids, *, seed: int, window_bytes: int) -> None:
        row_bytes = bytes_of_row(spec)
        run_rows = max(1, min(RUN_ROWS, RUN_BYTES // row_bytes))
        extents = locate(layout, spec.key, contents)
        self._seed = seed
        self._row_shape = spec.row_shape
        self._pieces = Pieces(extents, rows=run_rows)
        self._runs = Runs(extents, self._pieces, rows=run_rows)
        self._reader = PieceReader(layout, extents, self._pieces, row_bytes=row_bytes)
        self.rows = int(extents.rows.sum())
        """How many rows an epoch has."""
        self._window_rows = max(1, window_bytes // row_bytes)
        held = min(self.rows, self._window_rows + int(self._runs.rows.max(initial=0)))
        self._buffer: Float32 = np.empty((held, *spec.row_shape), np.float32)
        self._owner: Int32 = np.zeros(0, np.int32)
        self._epoch = -1
        self._window = -1
        self.start(0)

    def start(self, epoch: int) -> None:
        """Begin an epoch; its number decides the order of its rows."""
        if epoch == self._epoch:
            return
        self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._runs.rows))
        ends = np.cumsum(self._runs.rows[self._order])
        window = np.maximum(ends - 1, 0) // self._window_rows
        first = np.flatnonzero(np.diff(window, prepend=-1))
        self._window_runs: Int64 = np.append(first, len(ends))
        self._window_begins: Int64 = np.append(np.append(0, ends)[first], self.rows)
        self._epoch = epoch
        self._reader.reset_checks()
        if len(first) > 1:
            self._window = -1
        elif self._window == 0:
            self._shuffle()  # what fits into one window is read once and stays

    def take(self, begin: int, end: int) -> tuple[Float32, Int32]:
        """Return the rows `begin` to `end` of the epoch, (rows, *row_shape), and their owners, (rows,).

        Quick where the next rows are asked for; going back reads a window again.
        Raises `StoreError` naming the file, content and family whose bytes are damaged or gone.
        """
        values, owners = [np.empty((0, *self._row_shape), np.float32)], [np.zeros(0, np.int32)]
        while begin < end:
            window = int(np.searchsorted(self._window_begins, begin, side="right")) - 1
            if window != self._window:
                self._load(window)
            origin, limit = self._window_begins[window : window + 2].tolist()
            chosen = self._permutation[begin - origin : min(end, limit) - origin]
            values.append(np.take(self._buffer, chosen, axis=0))
            owners.append(self._owner[chosen])
            begin = min(end, limit)
        return (values[1], owners[1]) if len(values) == 2 else (np.concatenate(values), np.concatenate(owners))

    def _load(self, window: int) -> None:
        self._window = -1
        pieces = self._pieces_of(window)
        if window + 1 < len(self._window_begins) - 1:
            # While this window is read and used the disk goes on with the next one.
            self._reader.prefetch(self._pieces_of(window + 1))
        self._owner = np.repeat(self._pieces.entry[pieces], self._pieces.count[pieces])
        self._reader.read(pieces, self._buffer[: len(self._owner)])
        self._window = window
        self._shuffle()

    def _pieces_of(self, window: int) -> Int64:
        runs = self._order[self._window_runs[window] : self._window_runs[window + 1]]
        return self._runs.pieces_of(np.sort(runs))

    def _shuffle(self) -> None:
        random = np.random.default_rng([self._seed, self._epoch, self._window])
        self._permutation = random.permutation(len(self._owner))


class Runs:
    """Pieces that lie next to each other in a file, gathered to some `rows` rows; `rows` (runs,) tells how many."""

    def __init__(self, extents: Extents, pieces: Pieces, *, rows: int) -> None:
        file, begin = extents.file[pieces.entry], extents.begin[pieces.entry] + pieces.offset
        count = pieces.count
        block = (np.cumsum(count) - count) // rows
        apart = (file[1:] != file[:-1]) | (begin[1:] != begin[:-1] + count[:-1]) | (block[1:] != block[:-1])
        apart |= count[1:] + count[:-1] > rows
        first = np.flatnonzero(np.append(True, apart)) if len(count) else np.zeros(0, np.int64)
        self._begins: Int64 = np.append(first, len(count))
        self.rows: Int64 = np.add.reduceat(count, first) if len(first) else np.zeros(0, np.int64)

    def pieces_of(self, runs: Int64) -> Int64:
        """Return the pieces of some runs, in the order of the runs."""
        begins, lengths = self._begins[runs], self._begins[runs + 1] - self._begins[runs]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found: Int64 = np.repeat(begins, lengths) + within
        return found
