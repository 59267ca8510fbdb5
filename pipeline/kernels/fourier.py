"""The Fourier transform of blocks of many samples, in two passes that stay in the nearest cache.

A real block of 2n samples is transformed as n complex numbers, its even samples real, its odd ones imaginary:
n = rows * columns numbers, row by row, are transformed along columns, eight side by side, multiplied by twiddle
factors, and transformed along rows, eight side by side.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.arrays import Complex64, Float32, Int64
from pipeline.kernels.compilation import kernel
from pipeline.kernels.vectors import LANES, UNIT, read_pairs, split_units, step, transpose

# The longer of the two short transforms, over the root of their product, at most.
_LONGER = 3


class Plan(NamedTuple):
    """The transform of blocks of one length."""

    rows: int
    columns: int
    column_radices: Int64
    """Of the transforms along columns, of size `rows`, and the twiddle factors after their steps."""
    column_twiddles: Float32
    row_radices: Int64
    row_twiddles: Float32
    pass_twiddles: Float32
    """The twiddle factors between the passes."""
    real_twiddles: Float32
    """Those that separate even and odd samples, (2, n / 2 + 1)."""


def _radices(size: int) -> list[int]:
    """Return a few factors out of 2 to 7 that make up a size, or none where none do."""
    count = {}
    for prime in (2, 3, 5, 7):
        count[prime] = 0
        while size % prime == 0:
            size //= prime
            count[prime] += 1
    if size > 1:
        return []
    sixes = min(count[2], count[3])
    sixes -= bool(sixes and (count[2] - sixes) % 2)
    twos = count[2] - sixes
    numbers = {2: twos % 2, 3: count[3] - sixes, 4: twos // 2, 5: count[5], 6: sixes, 7: count[7]}
    return [radix for radix, number in numbers.items() for _ in range(number)]


@lru_cache(maxsize=4)
def plan(length: int) -> Plan | None:
    """Return the plan for blocks of a length, or None for a length without one."""
    half = length // 2
    if length % 2 or half < LANES**2 or not _radices(half):
        return None
    sizes = [(rows, half // rows) for rows in range(LANES, half // LANES + 1) if half % rows == 0]
    # none too long for the nearest cache
    sizes = [pair for pair in sizes if max(pair) <= _LONGER * half**0.5]
    if not sizes:
        return None
    rows, columns = min(sizes, key=lambda pair: _cost(*pair) + _cost(*pair[::-1]))
    by_column, by_row = _radices(rows), _radices(columns)
    return Plan(
        rows,
        columns,
        np.array(by_column),
        _step_twiddles(by_column),
        np.array(by_row),
        _step_twiddles(by_row),
        _pass_twiddles(rows, columns),
        np.stack(_real_and_imaginary(_roots(np.arange(half // 2 + 1), length))),
    )


def _cost(size: int, beside: int) -> int:
    """Return the cost of transforms of a size: their steps, reading and writing, in vectors."""
    return (len(_radices(size)) + 2) * size * -(-beside // LANES)


def _roots(steps: Int64, size: int) -> Complex64:
    roots: Complex64 = np.exp(-2j * np.pi * (steps % size) / size).astype(np.complex64)
    return roots


def _real_and_imaginary(numbers: Complex64) -> tuple[Float32, Float32]:
    return numbers.real, numbers.imag


def _step_twiddles(radices: list[int]) -> Float32:
    """Return the twiddle factors of all steps, one step after the other, as `_transform` reads them."""
    rest = int(np.prod(radices))
    twiddles = []
    for radix in radices:
        twiddles.append(_roots(np.outer(np.arange(rest // radix), np.arange(1, radix)), rest).ravel())
        rest //= radix
    return np.concatenate(twiddles).view(np.float32)


def _pass_twiddles(rows: int, columns: int) -> Float32:
    """Return the twiddle factors between the passes as the first one reads them, zeros filling up the last vector."""
    starts = [min(start, columns - LANES) for start in range(0, columns, LANES)]
    steps = np.arange(rows)[:, np.newaxis] * np.add.outer(starts, np.arange(LANES))[:, np.newaxis]
    twiddles = np.stack(_real_and_imaginary(_roots(steps, rows * columns)), axis=2)
    return np.pad(twiddles, ((0, 0), (0, -rows % LANES), (0, 0), (0, 0))).ravel()


@kernel
def workspace(plan: Plan) -> Float32:
    """Return the working memory of the passes: two tiles, and the matrix of rows."""
    return np.empty(2 * _tile(plan) + plan.columns * _row(plan), np.float32)


@kernel
def _tile(plan: Plan) -> int:
    return max(plan.rows + LANES, plan.columns) * UNIT


@kernel
def _row(plan: Plan) -> int:
    return -(-plan.rows // LANES) * UNIT


@kernel
def transform_columns(signal: Float32, plan: Plan, memory: Float32) -> None:
    """Do the first pass: from the pairs of a signal (2n,) into the matrix of rows."""
    rows, columns = plan.rows, plan.columns
    tile, row = _tile(plan), _row(plan)
    offset = 0
    for start in range(0, columns, LANES):
        first = min(start, columns - LANES)
        read_pairs(signal, 2 * first, 2 * columns, rows, memory, 0)
        at = _transform(memory, 0, UNIT, tile, 0, rows, plan.column_radices, plan.column_twiddles)
        # the end of the last vector is zero
        memory[at + rows * UNIT : at + row // 2 * UNIT] = 0
        for k in range(0, rows, LANES):
            transpose(memory, at + k * UNIT, plan.pass_twiddles, offset, 2 * tile + first * row + 2 * k, row)
            offset += LANES * UNIT


@kernel
def transform_rows(memory: Float32, plan: Plan, first: int) -> int:
    """Do the second pass for eight bins from a first one on, and those `rows` bins apart; return their index."""
    tile, row = _tile(plan), _row(plan)
    return _transform(memory, 2 * (tile + first), row, 0, tile, plan.columns, plan.row_radices, plan.row_twiddles)


@kernel
def transform(signal: Float32, plan: Plan, memory: Float32, spectrum: Float32) -> None:
    """Transform the pairs of a signal (2n,) into real and imaginary parts, (2, n + 8); the last eight are spare."""
    rows = plan.rows
    transform_columns(signal, plan, memory)
    # Backwards: the last vector of a row overwrites the beginning of the next row, which is then written again.
    for first in range((rows - 1) // LANES * LANES, -1, -LANES):
        at = transform_rows(memory, plan, first)
        split_units(memory, at, plan.columns, spectrum[0], spectrum[1], first, rows)


@kernel
def _transform(
    memory: Float32, at: int, row: int, to: int, other: int, size: int, radices: Int64, twiddles: Float32
) -> int:
    """Transform `size` units from index `at` on, `row` floats apart, alternating between two indices; return the last.

    `other` may be `at`.
    """
    done, offset = 1, 0
    for i in range(len(radices)):
        radix = radices[i]
        rest = size // (done * radix)
        if radix == 2:
            step(2, memory, at, row, to, done, rest, twiddles, offset)
        elif radix == 3:
            step(3, memory, at, row, to, done, rest, twiddles, offset)
        elif radix == 4:
            step(4, memory, at, row, to, done, rest, twiddles, offset)
        elif radix == 5:
            step(5, memory, at, row, to, done, rest, twiddles, offset)
        elif radix == 6:
            step(6, memory, at, row, to, done, rest, twiddles, offset)
        else:
            step(7, memory, at, row, to, done, rest, twiddles, offset)
        offset += 2 * (radix - 1) * rest
        done *= radix
        at, row, to, other = to, UNIT, other, to
    return at
