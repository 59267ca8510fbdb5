"""Pictures of networks: their layers one below the other, and decision regions in the plane."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.patches import FancyBboxPatch

from pipeline.arrays import Float32, Float64, Int64
from pipeline.report.outputs.svg import (
    INK,
    LINE,
    MUTED,
    PAINT,
    SERIES,
    WIDTH_IN,
    colour,
    panels,
    short_name,
    svg_element,
)


class LayerFacts(NamedTuple):
    """One layer as a box: its kind and words, the shape of its output, its parameters."""

    kind: str
    words: str
    shape: str
    parameters: int


_COLOURS = {
    "Conv2D": 0,
    "Dense": 0,
    "MaxPooling2D": 2,
    "BatchNormalization": 4,
    "Dropout": 5,
    "Normalization": 3,
}


def layers_chart(layers: Sequence[LayerFacts], *, name: str) -> str:
    """Return the layers as boxes from the input down to the output, with shapes and numbers of parameters."""
    step = 0.42
    with panels(1, 1, panel_in=(WIDTH_IN, 0.3 + step * len(layers)), width_in=WIDTH_IN) as (figure, (axes,)):
        axes.set(xlim=(0, 10), ylim=(len(layers), -0.1))
        axes.set_axis_off()
        for row, layer in enumerate(layers):
            colour_index = _COLOURS.get(layer.kind)
            fill = LINE if colour_index is None else colour(colour_index)
            axes.add_patch(
                FancyBboxPatch(
                    (0.15, row + 0.08),
                    6.0,
                    0.64,
                    boxstyle="round,pad=0,rounding_size=0.12",
                    facecolor=fill,
                    alpha=0.28,
                    linewidth=0,
                )
            )
            axes.text(0.4, row + 0.4, layer.words, va="center", fontsize=8.5, color=INK)
            axes.text(6.4, row + 0.4, layer.shape, va="center", fontsize=8, color=MUTED)
            if layer.parameters:
                axes.text(9.95, row + 0.4, f"{layer.parameters:,}", va="center", ha="right", fontsize=8, color=MUTED)
            if row:
                axes.annotate(
                    "",
                    (3.15, row + 0.08),
                    (3.15, row - 0.28),
                    arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
                )
        return svg_element(figure, name)


class Region(NamedTuple):
    """A network's regions with points on them: `second` (steps, steps) is the probability of the second class."""

    title: str
    second: Float64
    x: Float32
    y: Int64


def regions_chart(regions: Sequence[Region], grid: Float64, classes: Sequence[str], *, name: str) -> str:
    """Return decision regions over the plane, side by side, with their points; `grid` (steps,) is that of both axes."""
    across = min(2, len(regions))
    with panels(-(-len(regions) // across), across, panel_in=(4.2, 4.2)) as (figure, axes_list):
        for axes, region in zip(axes_list, regions, strict=False):
            for label in range(2):
                of_class = region.y == label
                axes.plot(
                    region.x[of_class, 0],
                    region.x[of_class, 1],
                    ".",
                    markersize=2,
                    color=colour(label, PAINT),
                    rasterized=True,
                )
            axes.contourf(
                grid, grid, region.second, levels=(-0.01, 0.5, 1.01), colors=(SERIES[0], SERIES[1]), alpha=0.22
            )
            axes.contour(grid, grid, region.second, levels=(0.5,), colors=(INK,), linewidths=1)
            axes.set(title=region.title, xlabel="x0", ylabel="x1", aspect="equal")
            axes.set(xlim=(grid[0], grid[-1]), ylim=(grid[0], grid[-1]))
        for axes in axes_list[len(regions) :]:
            axes.set_axis_off()
        handles = [
            axes.plot([], [], "o", color=colour(label), label=short_name(classes[label]))[0] for label in range(2)
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=2, title="class", title_fontsize=9)
        return svg_element(figure, name)


def grid_of(low: float, high: float, step: float) -> Float64:
    """Return the points of one axis from low to high, both included, shape (steps,)."""
    return np.linspace(low, high, round((high - low) / step) + 1)
