"""Energies of bands of blocks by a Fourier transform whose spectrum is never written down as a whole.

A real block of 2n samples is transformed as n complex numbers, its even samples real, its odd ones imaginary, in two
passes: n = rows * columns numbers, row by row, are transformed along columns, eight beside each other, turned, and
transformed along rows, eight beside each other. Each of these short transforms stays in the nearest cache. What the
bins k and n - k of the half spectrum hold together is what those of the block hold together; only where the two lie in
different bands they are taken apart.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.arrays import Complex64, Float32, Float64, Int64
from pipeline.kernels.compiling import Scalar, kernel
from pipeline.kernels.vectors import LANES, UNIT, part_units, read_pairs, step, turn_over

# The longer of the two short transforms, over the root of their product, at most.
_LONGER = 3


class Plan(NamedTuple):
    """How blocks of a length are transformed."""

    rows: int
    columns: int
    column_radices: Int64
    """Of the transforms along columns, of size `rows`, and the turns after their steps."""
    column_turns: Float32
    row_radices: Int64
    row_turns: Float32
    between: Float32
    """The turns between the passes."""
    apart: Float32
    """Those that part even and odd samples, (2, n / 2 + 1)."""


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
    """Return how blocks of a length are transformed, or None if they cannot be here."""
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
        _step_turns(by_column),
        np.array(by_row),
        _step_turns(by_row),
        _between(rows, columns),
        np.stack(_parts(_roots(np.arange(half // 2 + 1), length))),
    )


def _cost(size: int, beside: int) -> int:
    """Return about how long transforms of a size take: their steps, a reading and a writing, by vectors."""
    return (len(_radices(size)) + 2) * size * -(-beside // LANES)


def _roots(steps: Int64, size: int) -> Complex64:
    roots: Complex64 = np.exp(-2j * np.pi * (steps % size) / size).astype(np.complex64)
    return roots


def _parts(numbers: Complex64) -> tuple[Float32, Float32]:
    return numbers.real, numbers.imag


def _step_turns(radices: list[int]) -> Float32:
    """Return the turns after each step, one after the other, as `_transform` reads them."""
    rest = int(np.prod(radices))
    turns = []
    for radix in radices:
        turns.append(_roots(np.outer(np.arange(rest // radix), np.arange(1, radix)), rest).ravel())
        rest //= radix
    return np.concatenate(turns).view(np.float32)


def _between(rows: int, columns: int) -> Float32:
    """Return the turns between the passes as the first one reads them, with zeros where rows end within a vector."""
    starts = [min(start, columns - LANES) for start in range(0, columns, LANES)]
    steps = np.arange(rows)[:, np.newaxis] * np.add.outer(starts, np.arange(LANES))[:, np.newaxis]
    turns = np.stack(_parts(_roots(steps, rows * columns)), axis=2)
    return np.pad(turns, ((0, 0), (0, -rows % LANES), (0, 0), (0, 0))).ravel()


def band_energies(blocks: Float32, plan: Plan, borders: Int64) -> Float64:
    """Return the energy of the spectra of blocks (blocks, samples) from a border to before the next, (blocks, bands).

    Borders are bins in ascending order; the first is 1, the last is half the number of samples.
    """
    found = np.empty((len(blocks), len(borders) - 1))
    _energies(np.ascontiguousarray(blocks), plan, borders, found)
    return found


@kernel
def _energies(blocks: Float32, plan: Plan, borders: Int64, found: Float64) -> None:
    # One function for both passes: what they call would be compiled again for each.
    rows, columns = plan.rows, plan.columns
    n = rows * columns
    row = -(-rows // LANES) * UNIT
    # two tiles, and the matrix of rows
    tile = max(rows + LANES, columns) * UNIT
    memory = np.empty(2 * tile + columns * row, np.float32)
    spectrum = np.empty((2, n + LANES), np.float32)
    middle, low = _middle(n, rows, borders)
    low = low if 2 * low < columns else columns
    high = max(columns - low, low)
    for b in range(len(blocks)):
        found[b] = 0
        along = 0
        for start in range(0, columns, LANES):
            first = min(start, columns - LANES)
            read_pairs(blocks[b], 2 * first, 2 * columns, rows, memory, 0)
            at = _transform(memory, 0, UNIT, tile, 0, rows, plan.column_radices, plan.column_turns)
            # what is left of the last vector is zero
            memory[at + rows * UNIT : at + row // 2 * UNIT] = 0
            for k in range(0, rows, LANES):
                turn_over(memory, at + k * UNIT, plan.between, along, 2 * tile + first * row + 2 * k, row)
                along += LANES * UNIT
        # Backwards: what a vector that sticks out writes over the next row's beginning is written again.
        for first in range((rows - 1) // LANES * LANES, -1, -LANES):
            at = _transform(memory, 2 * (tile + first), row, 0, tile, columns, plan.row_radices, plan.row_turns)
            part_units(memory, at, low, spectrum[0], spectrum[1], first, rows)
            part_units(memory, at + high * UNIT, columns - high, spectrum[0], spectrum[1], high * rows + first, rows)
            found[b, middle] += _power(memory[at + low * UNIT : at + high * UNIT])
        # The bin whose mirror is not among those kept, or its own.
        if low < columns or n % 2 == 0:
            alone = n - low * rows if low < columns else n // 2
            found[b, middle] += spectrum[0, alone] * spectrum[0, alone] + spectrum[1, alone] * spectrum[1, alone]
        _part(spectrum, plan.apart, n, low * rows if low < columns else (n + 1) // 2, borders, found[b])


@kernel
def _middle(n: int, rows: int, borders: Int64) -> tuple[int, int]:
    """Return the band of the middle bin, and the first row of bins that lies in it as the mirrors do."""
    band = 0
    while borders[band + 1] <= n // 2:
        band += 1
    return band, -(-max(borders[band], n - borders[band + 1] + 1) // rows)


@kernel
def _power(x: Float32) -> Scalar:
    total = np.float32(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


@kernel
def _part(spectrum: Float32, turns: Float32, n: int, last: int, borders: Int64, found: Float64) -> None:
    """Add the energies of the bins from 1 to before the last, and of their mirrors, to their bands."""
    low, high = 0, len(borders) - 2
    first = 1
    while first < last:
        while borders[low + 1] <= first:
            low += 1
        while borders[high] > n - first:
            high -= 1
        end = min(first + 512, last, borders[low + 1], n - borders[high] + 1)
        mirror = n - end + 1
        below, above = _parted(
            spectrum[0, first:end],
            spectrum[1, first:end],
            spectrum[0, mirror : mirror + end - first],
            spectrum[1, mirror : mirror + end - first],
            turns[0, first:end],
            turns[1, first:end],
        )
        found[low] += below
        found[high] += above
        first = end


@kernel
def _parted(
    real: Float32, imaginary: Float32, mirror_real: Float32, mirror_imaginary: Float32, cos: Float32, sin: Float32
) -> tuple[Scalar, Scalar]:
    """Return the energies of a stretch of bins and of their mirrors."""
    below, above = np.float32(0), np.float32(0)
    last = np.uintp(len(real) - 1)  # without a sign, for indices that cannot be negative
    for k in range(np.uintp(len(real))):
        ar, ai, br, bi = real[k], imaginary[k], mirror_real[last - k], mirror_imaginary[last - k]
        er, ei, dr, di = ar + br, ai - bi, ai + bi, br - ar
        tr, ti = dr * cos[k] - di * sin[k], dr * sin[k] + di * cos[k]
        below += (er + tr) * (er + tr) + (ei + ti) * (ei + ti)
        above += (er - tr) * (er - tr) + (ei - ti) * (ei - ti)
    return 0.25 * below, 0.25 * above


@kernel
def _transform(
    memory: Float32, at: int, row: int, to: int, other: int, size: int, radices: Int64, turns: Float32
) -> int:
    """Transform a size of units that lie a row apart from a place on, in turn to two other places; return which one.

    The second of them may be that where the units lie.
    """
    done, used = 1, 0
    for i in range(len(radices)):
        radix = radices[i]
        rest = size // (done * radix)
        if radix == 2:
            step(2, memory, at, row, to, done, rest, turns, used)
        elif radix == 3:
            step(3, memory, at, row, to, done, rest, turns, used)
        elif radix == 4:
            step(4, memory, at, row, to, done, rest, turns, used)
        elif radix == 5:
            step(5, memory, at, row, to, done, rest, turns, used)
        elif radix == 6:
            step(6, memory, at, row, to, done, rest, turns, used)
        else:
            step(7, memory, at, row, to, done, rest, turns, used)
        used += 2 * (radix - 1) * rest
        done *= radix
        at, row, to, other = to, UNIT, other, to
    return at
