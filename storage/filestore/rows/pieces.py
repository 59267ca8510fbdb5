"""Reading the rows of any number of contents piece by piece, in bounded memory, each content checked by its CRC-32.

A content's CRC-32 is combined from those of its pieces, so that nothing is read twice; it is checked when its last
piece is read.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from pipeline.arrays import Float32, Int32, Int64
from pipeline.errors import StoreError
from pipeline.features.spec import FeatureRows, FeatureSpec
from storage.filestore.format.hdf5 import VanishedError
from storage.filestore.layout import Layout
from storage.filestore.rows.extents import ArrayCrcs, Extents, content_crc, damage_error, locate, open_rows
from storage.filestore.rows.read_ahead import ReadAhead

_ATTEMPTS = 5


class Pieces:
    """The contents of n extents cut into pieces of at most `rows` rows, in file order or in that of the extents.

    `entry` (pieces,) is each piece's position in the extents, `offset` (pieces,) its first row in that content,
    `count` (pieces,) how many rows it has.
    """

    def __init__(self, extents: Extents, *, rows: int, in_file_order: bool = True) -> None:
        order = np.lexsort((extents.begin, extents.file)) if in_file_order else np.arange(len(extents))
        rows_in = extents.rows[order]
        self.parts: Int64 = -(-extents.rows // rows)
        """(n,) How many pieces each entry has; none where it has no rows."""
        parts = self.parts[order]
        self.entry: Int32 = np.repeat(order, parts).astype(np.int32)
        self.first: Int64 = np.zeros(len(extents), np.int64)
        """(n,) Each entry's first piece."""
        self.first[order] = np.cumsum(parts) - parts
        number = np.arange(len(self.entry)) - np.repeat(np.cumsum(parts) - parts, parts)
        rows_of, parts_of = np.repeat(rows_in, parts), np.repeat(parts, parts)
        self.offset: Int64 = number * rows_of // parts_of if len(number) else number
        self.count: Int64 = (number + 1) * rows_of // parts_of - self.offset if len(number) else number


class CrcChecks:
    """The CRC-32 of the pieces read so far in an epoch; finds contents that are damaged."""

    def __init__(self, pieces: Pieces, row_bytes: int) -> None:
        self._pieces = pieces
        self._row_bytes = row_bytes
        self._crcs = np.zeros((len(pieces.entry), 3), np.uint32)
        self._left: Int64 = pieces.parts.copy()
        self._read = np.zeros(len(pieces.entry), np.bool_)

    def clear(self) -> None:
        """Start again, as a new epoch begins."""
        self._left[:] = self._pieces.parts
        self._read[:] = False

    def add(self, piece: int, rows: FeatureRows, extents: Extents) -> None:
        """Add the rows of a piece. Raises `DamagedError` when it is the last one of its content and that is damaged."""
        if self._read[piece]:
            return
        self._read[piece] = True
        self._crcs[piece] = ArrayCrcs.of(rows)
        at = int(self._pieces.entry[piece])
        self._left[at] -= 1
        if self._left[at]:
            return
        own = slice(int(self._pieces.first[at]), int(self._pieces.first[at] + self._pieces.parts[at]))
        parts = [ArrayCrcs._make(row) for row in self._crcs[own].tolist()]
        lengths = self._pieces.count[own].tolist()
        if content_crc(extents.contents[at], parts, lengths, self._row_bytes) != extents.crc32[at]:
            # Reading it again must fail again.
            self._read[own] = False
            self._left[at] = self._pieces.parts[at]
            raise damage_error(extents, at)


class PieceReader:
    """Reads pieces into a buffer; locates contents again whose files were merged or collected since."""

    def __init__(self, layout: Layout, extents: Extents, pieces: Pieces, *, row_bytes: int) -> None:
        self.pieces = pieces
        self._layout = layout
        self._extents = extents
        self._ahead = ReadAhead(extents)
        self._checks = CrcChecks(pieces, row_bytes)

    def reset_checks(self) -> None:
        """Check every content again from now on."""
        self._checks.clear()

    def prefetch(self, chosen: Int64) -> None:
        """Have the system fetch the rows of some pieces in the background; raises nothing, as `read` will."""
        file, begin, count = self._where(chosen)
        for number in np.unique(file).tolist():
            own = file == number
            self._ahead.prefetch(number, begin[own], begin[own] + count[own])

    def read(self, chosen: Int64, values: Float32) -> FeatureRows:
        """Return the rows of some pieces, in the order of `chosen`; they fill `values` (rows, *row_shape).

        Raises `StoreError` naming the file, content and family whose bytes are damaged or gone.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._read(chosen, values)
            except VanishedError:
                self._extents = locate(self._layout, self._extents.key, self._extents.contents)
                self._ahead = ReadAhead(self._extents)
        raise StoreError(f"family {self._extents.key}: its files go away faster than they are read; try again")

    def _read(self, chosen: Int64, values: Float32) -> FeatureRows:
        """Read in file order; pieces that are adjacent in the file and in the buffer by one read."""
        rows = FeatureRows(
            values=values, start_s=np.empty(len(values), np.float32), channel=np.empty(len(values), np.int8)
        )
        file, begin, count = self._where(chosen)
        slot = np.cumsum(count) - count
        order = np.lexsort((begin, file))
        file, begin, slot, count, chosen = file[order], begin[order], slot[order], count[order], chosen[order]
        ends, slot_ends = begin + count, slot + count
        apart = (file[1:] != file[:-1]) | (begin[1:] != ends[:-1]) | (slot[1:] != slot_ends[:-1])
        limits = [*np.flatnonzero(np.append(True, apart)).tolist(), len(chosen)]
        for number, spans in itertools.groupby(itertools.pairwise(limits), key=lambda span: int(file[span[0]])):
            with open_rows(self._extents, number) as opened:
                for a, b in spans:
                    into = slice(int(slot[a]), int(slot_ends[b - 1]))
                    opened.read(int(begin[a]), rows.values[into], rows.start_s[into], rows.channel[into])
                    self._check(rows, chosen[a:b], slot[a:b], slot_ends[a:b])
        return rows

    def _where(self, chosen: Int64) -> tuple[Int32, Int64, Int64]:
        """Return of each of some pieces its file, its first row in that file and how many rows it has."""
        entry = self.pieces.entry[chosen]
        begin = self._extents.begin[entry] + self.pieces.offset[chosen]
        return self._extents.file[entry], begin, self.pieces.count[chosen]

    def _check(self, rows: FeatureRows, chosen: Int64, slot: Int64, slot_ends: Int64) -> None:
        for piece, a, b in zip(chosen.tolist(), slot.tolist(), slot_ends.tolist(), strict=True):
            part = FeatureRows(values=rows.values[a:b], start_s=rows.start_s[a:b], channel=rows.channel[a:b])
            self._checks.add(piece, part, self._extents)


def blocks(
    layout: Layout, extents: Extents, spec: FeatureSpec, *, block_bytes: int
) -> Iterator[tuple[Int32, FeatureRows]]:
    """Yield all rows of extents in their order, about `block_bytes` at a time.

    With the rows comes each row's position in the extents, (rows,). Raises `StoreError` like `PieceReader.read`.
    """
    row_bytes = bytes_of_row(spec)
    block_rows = max(1, block_bytes // row_bytes)
    pieces = Pieces(extents, rows=block_rows, in_file_order=False)
    reader = PieceReader(layout, extents, pieces, row_bytes=row_bytes)
    block = np.maximum(np.cumsum(pieces.count) - 1, 0) // block_rows
    limits = [*np.flatnonzero(np.diff(block, prepend=-1)).tolist(), len(pieces.entry)]
    for a, b in itertools.pairwise(limits):
        chosen = np.arange(a, b)
        entry = np.repeat(pieces.entry[a:b], pieces.count[a:b])
        yield entry, reader.read(chosen, np.empty((len(entry), *spec.row_shape), np.float32))


def bytes_of_row(spec: FeatureSpec) -> int:
    """Return the size of one row's values, bytes."""
    return 4 * int(np.prod(spec.row_shape))
