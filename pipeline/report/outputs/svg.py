"""The panels of all outputs' pictures, in the page's style, and the colours of their images."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from pipeline.report.charts import INK, LINE, MUTED, ON_FILL, SERIES, STYLE, WIDTH_IN, short_name, svg_element

__all__ = [
    "HEAT", "INK", "LINE", "MUTED", "ON_FILL", "PAINT", "SERIES", "WIDE_IN", "WIDTH_IN",
    "colour", "panels", "short_name", "svg_element",
]  # fmt: skip

PAINT = ("#2f6f9f", "#d9803b", "#4f9a6d", "#8a6bb1", "#b8962e", "#b2566b")
"""The page's colours, for what becomes an image: an image cannot take them from the page."""
WIDE_IN = 8.4
"""Of pictures with many panels, which stand alone in their row of the page."""
HEAT = "magma"
"""The colour map of spectrograms."""
_DPI = 144


def colour(index: int, colours: Sequence[str] = SERIES) -> str:
    """Return the colour of a class by its index; they repeat when there are more classes than colours."""
    return colours[index % len(colours)]


@contextmanager
def panels(
    rows: int, columns: int, *, panel_in: tuple[float, float], width_in: float = WIDE_IN
) -> Iterator[tuple[Figure, list[Any]]]:
    """Give a figure with a grid of panels in the page's style, and the panels row by row."""
    with mpl.rc_context({**STYLE, "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "savefig.dpi": _DPI}):
        figure = Figure(figsize=(min(width_in, columns * panel_in[0]), rows * panel_in[1]), layout="constrained")
        yield figure, list(figure.subplots(rows, columns, squeeze=False).flat)
