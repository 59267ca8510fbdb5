"""Many values, some at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of `size`, the last one shorter; no value is read before its list is asked for."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
