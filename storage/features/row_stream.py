"""The rows of one family in random order, reproducibly, from a store that may be larger than the memory.

The rows are cut into spans of up to 64 that are adjacent in a file. Each epoch shuffles the spans, reads a window of
them in file order, and returns the rows of the window in random order: reading is nearly sequential, and the memory is
that of one window, whatever the size of the store. Every row comes exactly once per epoch. The order depends on the
seed, the epoch and the order of the rows in the store's files, which compaction changes.

Every content's CRC-32 is checked in every epoch, at the latest when its last row is read.
"""

import numpy as np

from pipeline.arrays import Float32, Int32, Int64
from pipeline.features.spec import FeatureSpec
from storage.filestore.layout import Layout
from storage.filestore.rows.extents import Extents, locate
from storage.filestore.rows.pieces import PieceReader, Pieces, bytes_of_row
from storage.ids import Ids

SPAN_ROWS = 64
"""The most rows of a span; a longer content is cut into equal spans."""

SPAN_BYTES = 1 << 20
"""The most bytes of a span of more than one row, as rows may be large."""


class RowStream:
    """The rows of some contents of one family, one epoch after the other; for one thread at a time.

    Holds no open file. A content may be in `contents` (owners,) several times, once for each track that has it; a
    position there is the owner of the content's rows.
    """

    def __init__(self, layout: Layout, spec: FeatureSpec, contents: Ids, *, seed: int, window_bytes: int) -> None:
        row_bytes = bytes_of_row(spec)
        span_rows = max(1, min(SPAN_ROWS, SPAN_BYTES // row_bytes))
        extents = locate(layout, spec.key, contents)
        self._seed = seed
        self._row_shape = spec.row_shape
        self._pieces = Pieces(extents, rows=span_rows)
        self._spans = Spans(extents, self._pieces, rows=span_rows)
        self._reader = PieceReader(layout, extents, self._pieces, row_bytes=row_bytes)
        self.rows = int(extents.rows.sum())
        """How many rows an epoch has."""
        self._window_rows = max(1, window_bytes // row_bytes)
        buffer_rows = min(self.rows, self._window_rows + int(self._spans.rows.max(initial=0)))
        self._buffer: Float32 = np.empty((buffer_rows, *spec.row_shape), np.float32)
        self._owner: Int32 = np.zeros(0, np.int32)
        self._epoch = -1
        self._window = -1
        self.start(0)

    def start(self, epoch: int) -> None:
        """Begin an epoch; its number decides the order of its rows."""
        if epoch == self._epoch:
            return
        self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._spans.rows))
        ends = np.cumsum(self._spans.rows[self._order])
        window = np.maximum(ends - 1, 0) // self._window_rows
        first = np.flatnonzero(np.diff(window, prepend=-1))
        self._window_spans: Int64 = np.append(first, len(ends))
        self._window_begins: Int64 = np.append(np.append(0, ends)[first], self.rows)
        self._epoch = epoch
        self._reader.reset_checks()
        if len(first) > 1:
            self._window = -1
        elif self._window == 0:
            self._shuffle()  # rows that all fit into one window are read once and stay

    def read(self, begin: int, end: int) -> tuple[Float32, Int32]:
        """Return the rows from `begin` to before `end` of the epoch, (rows, *row_shape), and their owners, (rows,).

        Fast in ascending order; going back reads a window again.
        Raises `StoreError` naming the file, content and family whose bytes are damaged or missing.
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
            # The system fetches the next window while this one is read and used.
            self._reader.prefetch(self._pieces_of(window + 1))
        self._owner = np.repeat(self._pieces.entry[pieces], self._pieces.count[pieces])
        self._reader.read(pieces, self._buffer[: len(self._owner)])
        self._window = window
        self._shuffle()

    def _pieces_of(self, window: int) -> Int64:
        spans = self._order[self._window_spans[window] : self._window_spans[window + 1]]
        return self._spans.pieces_of(np.sort(spans))

    def _shuffle(self) -> None:
        random = np.random.default_rng([self._seed, self._epoch, self._window])
        self._permutation = random.permutation(len(self._owner))


class Spans:
    """Pieces that are adjacent in a file, joined to spans of about `rows` rows; `rows` (spans,): how many each has."""

    def __init__(self, extents: Extents, pieces: Pieces, *, rows: int) -> None:
        file, begin = extents.file[pieces.entry], extents.begin[pieces.entry] + pieces.offset
        count = pieces.count
        block = (np.cumsum(count) - count) // rows
        apart = (file[1:] != file[:-1]) | (begin[1:] != begin[:-1] + count[:-1]) | (block[1:] != block[:-1])
        apart |= count[1:] + count[:-1] > rows
        first = np.flatnonzero(np.append(True, apart)) if len(count) else np.zeros(0, np.int64)
        self._begins: Int64 = np.append(first, len(count))
        self.rows: Int64 = np.add.reduceat(count, first) if len(first) else np.zeros(0, np.int64)

    def pieces_of(self, spans: Int64) -> Int64:
        """Return the pieces of some spans (m,), in the order of the spans."""
        begins, lengths = self._begins[spans], self._begins[spans + 1] - self._begins[spans]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        pieces: Int64 = np.repeat(begins, lengths) + within
        return pieces
