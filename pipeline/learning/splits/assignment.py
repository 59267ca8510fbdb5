"""The assignment of whole units to parts, each class by given shares as well as its units allow."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.arrays import Float64, Int64

_ATTEMPTS = 20
"""Orders of the units that are tried before a class may be missing from a part that does not need it."""

Fault = Callable[[Int64], tuple[tuple[int, ...], float]]
"""How bad parts are: how many classes are missing where (all zero: good enough), then how far sizes are off."""


def assign_units(table: Int64, shares: Float64, fault: Fault, *, seed: int) -> Int64:
    """Return the part of each unit, shape (units,), by the least bad of some orders; equal seeds, equal parts.

    `table` (units, classes) counts tracks; `shares` (parts,) sum to 1.
    """
    rng = np.random.default_rng(seed % 2**64)
    best: tuple[tuple[tuple[int, ...], float], Int64] | None = None
    for _ in range(_ATTEMPTS):
        parts = _assign(table, shares, rng)
        badness = fault(parts)
        if best is None or badness < best[0]:
            best = badness, parts
        if not any(badness[0]):
            break
    assert best is not None  # noqa: S101 - there is at least one attempt
    return best[1]


def missing_classes(table: Int64, parts: Int64, part: int) -> Int64:
    """Return the classes without a track in a part."""
    absent: Int64 = np.flatnonzero(table[parts == part].sum(axis=0) == 0)
    return absent


def size_error(table: Int64, parts: Int64, shares: Float64) -> float:
    """Return how far the parts' sizes are from their shares."""
    sizes = np.array([table[parts == part].sum() for part in range(len(shares))])
    return float(np.abs(sizes / table.sum() - shares).sum())


def even_parts(table: Int64, count: int, *, seed: int) -> Int64:
    """Return the part of each unit, shape (units,), of `count` parts of one size.

    A class has tracks in as many parts as its units allow.
    """
    shares = np.full(count, 1 / count)
    reach = np.minimum((table > 0).sum(axis=0), count)

    def fault(parts: Int64) -> tuple[tuple[int, ...], float]:
        present: Any = np.stack([table[parts == part].sum(axis=0) > 0 for part in range(count)])
        lacking = np.maximum(reach - present.sum(axis=0), 0).sum()
        empty = np.count_nonzero(~present.any(axis=1))
        return (int(empty), int(lacking)), size_error(table, parts, shares)

    return assign_units(table, shares, fault, seed=seed)


def _assign(table: Int64, shares: Float64, rng: np.random.Generator) -> Int64:
    """Return the part of each unit: big units first, each where its classes lag most behind.

    Iterative stratification (Sechidis et al., 2011) on whole units; a class with three units gets one in every part.
    """
    targets = np.maximum(shares[:, None] * table.sum(axis=0), 1e-9)
    needs = targets.copy()
    sizes = table.sum(axis=1)
    order = rng.permutation(len(table))
    order = order[np.argsort(-sizes[order], kind="stable")]
    parts = np.zeros(len(table), dtype=np.int64)
    for unit in order:
        present = np.flatnonzero(table[unit])
        counts = table[unit, present]
        lag = (needs[:, present] / targets[:, present]) @ (counts / counts.sum())
        # Rounded, so that equal lags are ties whatever the last bit says; ties go to the first part.
        part = int(np.argmax(np.round(lag, 9)))
        parts[unit] = part
        needs[part, present] -= counts
    return parts
