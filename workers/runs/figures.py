"""Figures that are each read by itself: one that cannot be had takes no other with it."""

from collections.abc import Callable
from typing import TypeVar

from pipeline.errors import ChordalError
from storage import durable

Figure = TypeVar("Figure")
Otherwise = TypeVar("Otherwise")


class Figures:
    """Reads figures for people, and keeps of each that cannot be had the reason."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}
        """Why a figure cannot be had, by its name."""

    def read(self, name: str, figure: Callable[[], Figure], otherwise: Otherwise) -> Figure | Otherwise:
        """Return a figure, or `otherwise` when it cannot be had."""
        try:
            return figure()
        except ChordalError as error:
            self.fail(name, str(error))
        except OSError as error:
            self.fail(name, durable.reason(error))
        except ValueError as error:  # as a document that another program wrote
            self.fail(name, str(error))
        return otherwise

    def fail(self, name: str, reason: str) -> None:
        """Keep why a figure cannot be had; the first reason stays."""
        self.errors.setdefault(name, " ".join(reason.split()))


def read_strictly(_name: str, figure: Callable[[], Figure], otherwise: Otherwise) -> Figure | Otherwise:
    """Return a figure as `Figures.read` does, for whoever needs all of them: its error is the caller's."""
    return figure()
