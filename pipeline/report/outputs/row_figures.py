"""Pictures of stored numbers: columns over the index and by label, shares of a whole, softmax outputs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from pipeline.arrays import Float32, Float64, Int64
from pipeline.report.outputs.svg import (
    INK,
    LINE,
    MUTED,
    ON_FILL,
    PAINT,
    SERIES,
    WIDE_IN,
    WIDTH_IN,
    colour,
    panels,
    short_name,
    svg_element,
)
from pipeline.report.words import percent

_ACROSS = 3
MOST_POINTS = 6_000
"""Of each column; more would hide each other."""


def columns_over_index(x: Float32, y: Int64, columns: Sequence[str], classes: Sequence[str], *, name: str) -> str:
    """Return each column of rows (rows, columns) over the rows' index, coloured by class."""
    step = max(len(x) // MOST_POINTS, 1)
    indices = np.arange(0, len(x), step)
    with panels(-(-len(columns) // _ACROSS), _ACROSS, panel_in=(2.8, 1.55)) as (figure, axes_list):
        for axes, (number, column) in zip(axes_list, enumerate(columns), strict=False):
            for label in range(len(classes)):
                of_class = indices[y[indices] == label]
                axes.plot(
                    of_class,
                    x[of_class, number],
                    ".",
                    markersize=1.6,
                    color=colour(label, PAINT),
                    rasterized=True,
                )
            axes.set_title(column)
            axes.tick_params(labelsize=7.5)
            axes.grid(axis="y")
        for axes in axes_list[len(columns) :]:
            axes.set_axis_off()
        _legend(figure, classes, PAINT)
        return svg_element(figure, name)


def columns_by_label(x: Float32, y: Int64, columns: Sequence[str], classes: Sequence[str], *, name: str) -> str:
    """Return each column's quartiles and 5th to 95th percentile by class."""
    with panels(-(-len(columns) // _ACROSS), _ACROSS, panel_in=(2.8, 1.55)) as (figure, axes_list):
        for axes, (number, column) in zip(axes_list, enumerate(columns), strict=False):
            for label in range(len(classes)):
                values = x[y == label, number]
                if not len(values):
                    continue
                low, first, middle, third, high = np.percentile(values, [5, 25, 50, 75, 95])
                axes.vlines(label, low, high, color=colour(label), linewidth=1.2)
                axes.bar(label, third - first, bottom=first, width=0.5, color=colour(label), alpha=0.55)
                axes.hlines(middle, label - 0.25, label + 0.25, color=colour(label), linewidth=2)
            axes.set_title(column)
            axes.set_xticks(range(len(classes)), [short_name(label) for label in classes] if len(classes) <= 4 else [])
            axes.tick_params(labelsize=7.5)
            axes.grid(axis="y")
        for axes in axes_list[len(columns) :]:
            axes.set_axis_off()
        if len(classes) > 4:
            _legend(figure, classes, SERIES)
        return svg_element(figure, name)


def pie(counts: Mapping[str, int], *, name: str) -> str:
    """Return the shares of a whole as a pie."""
    labels = sorted(counts)
    total = sum(counts.values())
    with panels(1, 1, panel_in=(WIDTH_IN, 3.6), width_in=WIDTH_IN) as (figure, (axes,)):
        wedges, _ = axes.pie(
            [counts[label] for label in labels],
            labels=[f"{short_name(label)} {percent(counts[label] / total)}" for label in labels],
            startangle=90,
            counterclock=False,
            wedgeprops={"edgecolor": "white", "linewidth": 0.8},
            textprops={"fontsize": 8.5},
        )
        for index, wedge in enumerate(wedges):
            wedge.set_facecolor(colour(index))
            # Round by round of the colours paler: neighbours stay apart.
            wedge.set_alpha(1.0 - 0.3 * (index // len(SERIES) % 3))
        return svg_element(figure, name)


def softmax_chart(probabilities: Float64, truth: Int64, classes: Sequence[str], *, name: str) -> str:
    """Return the class probabilities (rows, classes) of some rows as points over their index, the truth at 1."""
    with panels(len(classes), 1, panel_in=(WIDE_IN, 1.15)) as (figure, axes_list):
        indices = np.arange(len(probabilities))
        for label, axes in enumerate(axes_list):
            axes.vlines(indices, 0, probabilities[:, label], color=LINE, linewidth=0.8)
            axes.plot(indices, probabilities[:, label], ".", markersize=5, color=colour(label))
            is_true = truth == label
            axes.plot(indices[is_true], np.ones(is_true.sum()), "o", markersize=5, fillstyle="none", color=MUTED)
            axes.set(ylim=(-0.08, 1.15), yticks=(0, 0.5, 1), title=short_name(classes[label]))
            axes.tick_params(labelsize=7.5)
        axes_list[-1].set_xlabel("entry of the test")
        return svg_element(figure, name)


def confusion_in_percent(confusion: Sequence[Sequence[int]], classes: Sequence[str], *, name: str) -> str:
    """Return a confusion matrix in per cent of each true label; with few classes also in per cent of all rows."""
    counts = np.asarray(confusion, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    of_total = counts / max(counts.sum(), 1)
    n = len(classes)
    cell_in = 0.62 if n <= 6 else 0.4
    side_in = max(1.5 + cell_in * n, 2.6)
    with panels(1, 1, panel_in=(side_in, side_in - 0.2)) as (figure, (axes,)):
        for true, given in np.ndindex(n, n):
            share = shares[true, given]
            axes.add_patch(
                Rectangle((given - 0.48, true - 0.48), 0.96, 0.96, color=SERIES[0], alpha=max(share, 0.04), linewidth=0)
            )
            if not counts[true, given]:
                continue
            colour_of = ON_FILL if share > 0.55 else INK
            exact = f"{100 * share:.1f}" if n <= 6 else f"{100 * share:.0f}"
            axes.text(
                given, true - (0.14 if n <= 6 else 0), exact, ha="center", va="center", color=colour_of, fontsize=8.5
            )
            if n <= 6:
                axes.text(
                    given,
                    true + 0.24,
                    f"{100 * of_total[true, given]:.1f}",
                    ha="center",
                    va="center",
                    color=colour_of,
                    fontsize=6.5,
                )
        axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xlabel="label given", ylabel="true label", aspect="equal")
        names = [short_name(label) for label in classes]
        upright = max(map(len, names)) * 6 <= cell_in * 72
        axes.set_xticks(range(n), names, rotation=0 if upright else 45, ha="center" if upright else "right")
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        return svg_element(figure, name)


def _legend(figure: Figure, classes: Sequence[str], colours: Sequence[str]) -> None:
    patches = [Patch(color=colour(index, colours), label=short_name(label)) for index, label in enumerate(classes)]
    figure.legend(handles=patches, loc="outside lower left", ncols=6, handlelength=1, handleheight=1)
