"""What a source of figures is: each figure is read by itself, so that one that cannot be had takes no other with it."""

from collections.abc import Callable, Iterator
from typing import Protocol

Samples = list[tuple[dict[str, str], float]]
"""Values with their labels."""

Figure = tuple[str, str, Callable[[], Iterator[tuple[str, Samples]]]]
"""The source it is read from, its name, and what reads it: the samples of some metrics, by the metric's name."""


class Figures(Protocol):
    """Figures that are read together."""

    def all(self) -> list[Figure]:
        """Return each figure, unread."""
        ...
