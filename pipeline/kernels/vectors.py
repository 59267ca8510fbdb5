"""Loops over eight signals side by side, written out in LLVM's vectors.

The compiler puts a loop into vectors only where it can show that no write meets a later read, and keeps an array in
memory that registers could hold: the many streams of a Fourier transform whose sizes are known at run time and the
state of a recursive filter are beyond it. Numba's intrinsics write the vectors down directly. LLVM maps the eight
numbers of one to what the machine has: one register, two, or half of one. Numba's cache does not see a change in here:
touch what imports it.

Complex numbers lie in arrays of float32 in units of sixteen: eight real parts, the eight imaginary parts. Indices count
floats; arrays are C-contiguous.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from math import cos, pi, sin
from operator import add
from typing import Any, cast

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# llvmlite's, of the version that Numba brings, and which is no dependency of ours
ir: Any = cgutils.ir  # type: ignore[attr-defined]

LANES = 8
UNIT = 2 * LANES

_INDEX = ir.IntType(64)
_EIGHT = ir.VectorType(ir.FloatType(), LANES)

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
# An intrinsic is called with other arguments than the function that generates it.
_intrinsic = cast("_Decorator", intrinsic)
_intrinsic_by_radix = cast("_Decorator", intrinsic(prefer_literal=True))


class _Complexes:
    """Eight complex numbers in the generated code."""

    def __init__(self, builder: Any, real: Any, imaginary: Any) -> None:
        self.builder, self.real, self.imaginary = builder, real, imaginary

    def __add__(self, other: "_Complexes") -> "_Complexes":
        add = self.builder.fadd
        return _Complexes(self.builder, add(self.real, other.real), add(self.imaginary, other.imaginary))

    def __sub__(self, other: "_Complexes") -> "_Complexes":
        subtract = self.builder.fsub
        return _Complexes(self.builder, subtract(self.real, other.real), subtract(self.imaginary, other.imaginary))

    def __mul__(self, factor: float) -> "_Complexes":
        factors = ir.Constant(_EIGHT, [float(np.float32(factor))] * LANES)
        multiply = self.builder.fmul
        return _Complexes(self.builder, multiply(factors, self.real), multiply(factors, self.imaginary))

    def times_minus_i(self) -> "_Complexes":
        """Return the numbers times -i."""
        return _Complexes(self.builder, self.imaginary, self.builder.fneg(self.real))

    def times(self, real: Any, imaginary: Any) -> "_Complexes":
        builder, multiply = self.builder, self.builder.fmul
        return _Complexes(
            builder,
            builder.fsub(multiply(self.real, real), multiply(self.imaginary, imaginary)),
            builder.fadd(multiply(self.real, imaginary), multiply(self.imaginary, real)),
        )


def _dft(z: Sequence[_Complexes]) -> list[_Complexes]:
    """Write the Fourier transform of two to seven numbers."""
    size = len(z)
    if size == 2:
        return [z[0] + z[1], z[0] - z[1]]
    if size == 4:
        a, b, c, d = z[0] + z[2], z[0] - z[2], z[1] + z[3], (z[1] - z[3]).times_minus_i()
        return [a + c, b + d, a - c, b - d]
    return _coprime_dft(z, 3) if size == 6 else _prime_dft(z)


def _coprime_dft(z: Sequence[_Complexes], first: int) -> list[_Complexes]:
    """Write a transform of two coprime factors as two of them without twiddles in between (Good and Thomas)."""
    size, second = len(z), len(z) // first
    inner = [_dft([z[(first * j + second * i) % size] for i in range(first)]) for j in range(second)]
    out = [*z]
    for k, column in enumerate(zip(*inner, strict=True)):
        for m, value in enumerate(_dft(column)):
            # k modulo the first size, m modulo the second
            out[next(f for f in range(k, size, first) if f % second == m)] = value
    return out


def _prime_dft(z: Sequence[_Complexes]) -> list[_Complexes]:
    """Write the transform of an odd prime's size, by the sums and differences of opposite numbers."""
    size = len(z)
    sums = [z[j] + z[-j] for j in range(1, size // 2 + 1)]
    differences = [(z[j] - z[-j]).times_minus_i() for j in range(1, size // 2 + 1)]
    out = [reduce(add, sums, z[0]), *z[1:]]
    for k in range(1, size // 2 + 1):
        angles = [2 * pi * (j * k % size) / size for j in range(1, size // 2 + 1)]
        even = reduce(add, (s * cos(angle) for s, angle in zip(sums, angles, strict=True)), z[0])
        odd = reduce(add, (d * sin(angle) for d, angle in zip(differences, angles, strict=True)))
        out[k], out[size - k] = even + odd, even - odd
    return out


class _Floats:
    """An array of floats in the generated code."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any) -> None:
        self.builder = builder
        self.data = context.make_array(kind)(context, builder, array).data
        self.kind = ir.VectorType(context.get_data_type(kind.dtype), LANES)

    def broadcast(self, at: Any) -> Any:
        """Return the float at an index, in all lanes."""
        scalar = self.builder.load(self.builder.gep(self.data, [at]))
        vector = self.builder.insert_element(ir.Constant(self.kind, ir.Undefined), scalar, ir.IntType(32)(0))
        return _shuffled(self.builder, vector, vector, [0] * LANES)

    def pointer(self, at: Any, offset: int = 0) -> Any:
        pointer = self.builder.gep(self.data, [at])
        if offset:
            pointer = self.builder.gep(pointer, [_INDEX(offset)])
        return self.builder.bitcast(pointer, self.kind.as_pointer())

    def read(self, at: Any) -> _Complexes:
        return _Complexes(
            self.builder, *(self.builder.load(self.pointer(at, offset), align=4) for offset in (0, LANES))
        )

    def write(self, at: Any, value: _Complexes) -> None:
        self.builder.store(value.real, self.pointer(at), align=4)
        self.builder.store(value.imaginary, self.pointer(at, LANES), align=4)


def _shuffled(builder: Any, first: Any, second: Any, lanes: Sequence[int]) -> Any:
    """Return lanes of two vectors, numbered through from the first to the second."""
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(lanes)))


@_intrinsic_by_radix
def step(
    context: Any, radix: Any, memory: Any, at: Any, row: Any, to: Any, done: Any, rest: Any, twiddles: Any, used: Any
) -> Any:
    """Do a step (Stockham's) of a transform of done * radix * rest units, from index `at` of the memory to index `to`.

    Parts of the size `done` are transformed already. The units are read `row` floats apart and written contiguously.
    `twiddles` has from `used` on the factors after the step, for each of `rest`: all but the first of a radix.
    """
    size = radix.literal_value

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        memory, factors = (_Floats(context, builder, signature.args[i], values[i]) for i in (1, 7))
        at, row, to, done, rest, used = (values[i] for i in (2, 3, 4, 5, 6, 8))
        plus, multiply = builder.add, builder.mul
        apart, width = multiply(multiply(done, rest), row), multiply(done, _INDEX(UNIT))

        def butterflies(p: Any, twiddle: Sequence[tuple[Any, Any]]) -> None:
            with cgutils.for_range(builder, done) as inner:
                start = plus(at, multiply(plus(multiply(p, done), inner.index), row))
                out = _dft([memory.read(plus(start, multiply(apart, _INDEX(q)))) for q in range(size)])
                offset = multiply(plus(multiply(multiply(p, _INDEX(size)), done), inner.index), _INDEX(UNIT))
                for q, value in enumerate(out):
                    product = value.times(*twiddle[q - 1]) if twiddle and q else value
                    memory.write(plus(plus(to, offset), multiply(width, _INDEX(q))), product)

        butterflies(_INDEX(0), [])
        with cgutils.for_range(builder, rest, start=_INDEX(1)) as outer:
            first = plus(used, multiply(outer.index, _INDEX(2 * (size - 1))))
            parts = [factors.broadcast(plus(first, _INDEX(i))) for i in range(2 * (size - 1))]
            butterflies(outer.index, list(zip(parts[::2], parts[1::2], strict=True)))
        return context.get_dummy_value()

    integer = types.intp
    return types.void(radix, memory, integer, integer, integer, integer, integer, twiddles, integer), generate


@_intrinsic
def read_pairs(context: Any, signal: Any, at: Any, apart: Any, count: Any, memory: Any, to: Any) -> Any:
    """Write units of the pairs of samples from index `at` of a signal on, `apart` floats apart, even samples real."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        signal, memory = (_Floats(context, builder, signature.args[i], values[i]) for i in (0, 4))
        at, apart, count, to = (values[i] for i in (1, 2, 3, 5))
        with cgutils.for_range(builder, count) as loop:
            both = signal.read(builder.add(at, builder.mul(loop.index, apart)))
            parts = (_shuffled(builder, both.real, both.imaginary, range(i, 2 * LANES, 2)) for i in (0, 1))
            memory.write(builder.add(to, builder.mul(loop.index, _INDEX(UNIT))), _Complexes(builder, *parts))
        return context.get_dummy_value()

    integer = types.intp
    return types.void(signal, integer, integer, integer, memory, integer), generate


@_intrinsic
def split_units(context: Any, memory: Any, at: Any, count: Any, real: Any, imaginary: Any, to: Any, apart: Any) -> Any:
    """Write the real and imaginary parts of `count` units from index `at` on to two arrays, `apart` floats apart."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        memory, *targets = (_Floats(context, builder, signature.args[i], values[i]) for i in (0, 3, 4))
        at, count, to, apart = (values[i] for i in (1, 2, 5, 6))
        with cgutils.for_range(builder, count) as loop:
            unit = memory.read(builder.add(at, builder.mul(loop.index, _INDEX(UNIT))))
            offset = builder.add(to, builder.mul(loop.index, apart))
            for target, part in zip(targets, (unit.real, unit.imaginary), strict=True):
                builder.store(part, target.pointer(offset), align=4)
        return context.get_dummy_value()

    integer = types.intp
    return types.void(memory, integer, integer, real, imaginary, integer, integer), generate


@_intrinsic
def transpose(context: Any, memory: Any, at: Any, twiddles: Any, along: Any, to: Any, row: Any) -> Any:
    """Write the eight units from index `at` on, times as many twiddles, transposed, `row` floats apart."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        memory, factors = (_Floats(context, builder, signature.args[i], values[i]) for i in (0, 2))
        at, along, to, row = (values[i] for i in (1, 3, 4, 5))
        units = []
        for j in range(LANES):
            factor = factors.read(builder.add(along, _INDEX(j * UNIT)))
            units.append(memory.read(builder.add(at, _INDEX(j * UNIT))).times(factor.real, factor.imaginary))
        real, imaginary = ([getattr(z, part) for z in units] for part in ("real", "imaginary"))
        for j, parts in enumerate(zip(_transposed(builder, real), _transposed(builder, imaginary), strict=True)):
            memory.write(builder.add(to, builder.mul(row, _INDEX(j))), _Complexes(builder, *parts))
        return context.get_dummy_value()

    integer = types.intp
    return types.void(memory, integer, twiddles, integer, integer, integer), generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose eight rows of eight: exchange single lanes between neighbours, then pairs, then halves."""
    for width in (1, 2, 4):
        low = [lane if not lane & width else lane - width + LANES for lane in range(LANES)]
        high = [lane + width if not lane & width else lane + LANES for lane in range(LANES)]
        rows = [_shuffled(builder, rows[i & ~width], rows[i | width], high if i & width else low) for i in range(LANES)]
    return rows


@_intrinsic
def transpose_rows(context: Any, rows: Any, first: Any, count: Any, at: Any, tile: Any, to: Any) -> Any:
    """Write eight samples from index `at` on of eight rows of (rows, n), transposed; the last replaces missing rows."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        source, target = (_Floats(context, builder, signature.args[i], values[i]) for i in (0, 4))
        first, count, at, to = (values[i] for i in (1, 2, 3, 5))
        length = builder.extract_value(context.make_array(rows)(context, builder, values[0]).shape, 1)
        last = builder.sub(count, _INDEX(1))
        columns = []
        for j in range(LANES):
            row = builder.select(builder.icmp_signed("<", last, _INDEX(j)), last, _INDEX(j))
            offset = builder.add(builder.mul(builder.add(first, row), length), at)
            columns.append(builder.load(source.pointer(offset), align=4))
        for j, samples in enumerate(_transposed(builder, columns)):
            builder.store(samples, target.pointer(to, j * LANES), align=4)
        return context.get_dummy_value()

    integer = types.intp
    return types.void(rows, integer, integer, integer, tile, integer), generate


@_intrinsic
def filter_tile(context: Any, tile: Any, at: Any, count: Any, filters: Any, state: Any) -> Any:
    """Run eight signals side by side through two filters of the second order, b0, b1, b2, a1, a2 each, (2, 5).

    In float64. The state (6, 8) holds the two delays of each filter, the energy of the input and that of the output; a
    compiled loop would write it to memory at every sample.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        wide = ir.VectorType(ir.DoubleType(), LANES)
        plus, minus, multiply = builder.fadd, builder.fsub, builder.fmul
        tile, filters, state = (_Floats(context, builder, signature.args[i], values[i]) for i in (0, 3, 4))
        b0, b1, b2, a1, a2, d0, d1, d2, c1, c2 = (filters.broadcast(_INDEX(i)) for i in range(10))
        pointers = [state.pointer(_INDEX(i * LANES)) for i in range(6)]
        with builder.goto_entry_block():
            states = [builder.alloca(wide) for _ in pointers]
        for pointer, variable in zip(pointers, states, strict=True):
            builder.store(builder.load(pointer, align=8), variable)
        with cgutils.for_range(builder, values[2]) as loop:
            s1, s2, s3, s4, energy_in, energy_out = (builder.load(variable) for variable in states)
            x = builder.fpext(
                builder.load(tile.pointer(builder.add(values[1], builder.mul(loop.index, _INDEX(LANES)))), align=4),
                wide,
            )
            y = plus(multiply(b0, x), s1)
            z = plus(multiply(d0, y), s3)
            out = (
                plus(minus(multiply(b1, x), multiply(a1, y)), s2),
                minus(multiply(b2, x), multiply(a2, y)),
                plus(minus(multiply(d1, y), multiply(c1, z)), s4),
                minus(multiply(d2, y), multiply(c2, z)),
                plus(energy_in, multiply(x, x)),
                plus(energy_out, multiply(z, z)),
            )
            for value, variable in zip(out, states, strict=True):
                builder.store(value, variable)
        for pointer, variable in zip(pointers, states, strict=True):
            builder.store(builder.load(variable), pointer, align=8)
        return context.get_dummy_value()

    return types.void(tile, types.intp, types.intp, filters, state), generate
