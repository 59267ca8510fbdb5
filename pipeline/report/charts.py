"""The charts of a report, as inline SVG that takes its colours and its font from the page.

Drawn with matplotlib's objects and no pyplot, so there is no current figure to leak. Every colour is a placeholder
that becomes a CSS variable in the page: one picture serves light, dark and print.
"""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.learning.study.findings import Reliability
from pipeline.learning.study.results import Scores
from pipeline.learning.study.trials import TrialOutcome
from pipeline.plans.objectives import TITLES, Objective
from pipeline.report.words import shorten
from pipeline.text import printable

INK, MUTED, LINE, ON_FILL = "#0a0b0c", "#6a6b6c", "#dadbdc", "#fafbfc"
SERIES = ("#10a1b1", "#20a2b2", "#30a3b3", "#40a4b4", "#50a5b5", "#60a6b6")
_CSS = {INK: "--ink", MUTED: "--muted", LINE: "--line", ON_FILL: "--on-fill"} | {
    colour: f"--c{number}" for number, colour in enumerate(SERIES, start=1)
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: searchable, small, in the page's own font
    "text.parse_math": False,  # a class may be called "$x$"
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.labelcolor": INK,
}
WIDTH_IN = 5.4
"""Narrow enough that the words stay readable when a phone shrinks the picture."""
NAME_LIMIT = 22
MOST_BARS = 40
MOST_CELLS = 30
MOST_CURVES = 6


def balance_chart(balance: Mapping[str, int], parts: Mapping[str, Mapping[str, int]], *, name: str) -> str:
    """Return bars of tracks per class, largest first; `parts` cuts them up (part to class to tracks)."""
    labels = sorted(balance, key=lambda label: (-balance[label], label))[:MOST_BARS]
    with mpl.rc_context(STYLE):
        figure, axes = _figure(height_in=0.55 + 0.27 * len(labels) + (0.3 if parts else 0))
        rows = range(len(labels))
        starts = [0] * len(labels)
        for colour, (part, by_label) in zip(SERIES, parts.items(), strict=False):
            widths = [by_label.get(label, 0) for label in labels]
            axes.barh(rows, widths, left=starts, color=colour, height=0.66, label=part)
            starts = [a + b for a, b in zip(starts, widths, strict=True)]
        remaining = [max(balance[label] - done, 0) for label, done in zip(labels, starts, strict=True)]
        if any(remaining):
            axes.barh(
                rows, remaining, left=starts, color=LINE if parts else SERIES[0], height=0.66, label="not learned from"
            )
        for row, label in enumerate(labels):
            axes.annotate(
                f"{balance[label]:,}",
                (balance[label], row),
                (4, 0),
                textcoords="offset points",
                va="center",
                color=INK,
            )
        _name_rows(axes, labels)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.1)
        if parts:
            figure.legend(loc="outside lower left", ncols=4, handlelength=1, handleheight=1, columnspacing=1.2)
        return svg_element(figure, name)


def trials_chart(
    outcomes: Sequence[TrialOutcome], *, baseline: float | None, name: str, objective: Objective = "accuracy"
) -> str:
    """Return the objective of each completed trial, best first, with a dot for every fit of it.

    The axis reaches as far as the dots do, and to the baseline where there is one.
    """
    listed = outcomes[:MOST_BARS]
    families = list(dict.fromkeys(outcome.spec.family for outcome in listed))
    colours = {family: SERIES[index % len(SERIES)] for index, family in enumerate(families)}
    sign = -1 if objective == "log_loss" else 1
    with mpl.rc_context(STYLE):
        figure, axes = _figure(height_in=0.95 + 0.22 * len(listed))
        for family in families:
            rows = [(row, o) for row, o in enumerate(listed) if o.spec.family == family]
            axes.scatter(
                [sign * fit.objective for _, o in rows for fit in o.fits],
                [row for row, o in rows for _ in o.fits],
                s=14,
                color=colours[family],
                alpha=0.35,
                linewidths=0,
            )
            axes.scatter(
                [sign * o.objective for _, o in rows], [p for p, _ in rows], s=44, color=colours[family], label=family
            )
        if baseline is not None:
            axes.axvline(baseline, color=MUTED, linewidth=1, linestyle=(0, (3, 3)), label="largest class")
        _name_rows(axes, [f"trial {outcome.spec.index}" for outcome in listed])
        axes.set(xlabel=f"validation {TITLES[objective]}", ylim=(len(listed) - 0.4, -0.6))
        axes.margins(x=0.08)
        if objective != "log_loss":
            axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(axis="x")
        figure.legend(loc="outside lower left", ncols=3, handlelength=1.2, columnspacing=1.2)
        return svg_element(figure, name)


def curves_chart(outcome: TrialOutcome, *, name: str, most_loss: float | None = None) -> str:
    """Return loss and accuracy over the epochs of every fit of a trial, training and validation.

    The loss reaches to `most_loss`, or to the largest.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.5), layout="constrained")
        panels: Any = figure.subplots(1, 2)
        for axes, quantity in zip(panels, ("accuracy", "loss"), strict=True):
            for number, fit in enumerate(outcome.fits):
                for key, colour, side_name in (
                    (quantity, SERIES[0], "training"),
                    (f"val_{quantity}", SERIES[1], "validation"),
                ):
                    values = fit.curves.get(key, ())
                    axes.plot(
                        range(1, len(values) + 1),
                        values,
                        color=colour,
                        linewidth=1.6 if len(outcome.fits) == 1 else 1.1,
                        alpha=1.0 if len(outcome.fits) == 1 else 0.75,
                        label=side_name if number == 0 and quantity == "accuracy" else None,
                    )
            axes.set(title=quantity, xlabel="epoch")
            axes.grid(axis="y")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        panels[0].set_ylim(0, 1.02)
        panels[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        panels[1].set_ylim(0, None if not most_loss else 1.04 * most_loss)
        figure.legend(loc="outside lower left", ncols=2, handlelength=1.5)
        return svg_element(figure, name)


def confusion_chart(scores: Scores, classes: Sequence[str], *, name: str) -> str:
    """Return the confusion matrix: counts in the cells, coloured by their share of the true class."""
    n = len(classes)
    with mpl.rc_context(STYLE):
        cell_in = 0.46 if n <= 8 else 0.31 if n <= 14 else 0.27
        figure = Figure(figsize=(max(1.6 + cell_in * n, 3.2), max(1.3 + cell_in * n, 2.6)), layout="constrained")
        axes: Any = figure.subplots()
        for row, counts in enumerate(scores.confusion):
            total = sum(counts)
            for column, hits in enumerate(counts):
                share = hits / total if total else 0.0
                axes.add_patch(
                    Rectangle(
                        (column - 0.48, row - 0.48), 0.96, 0.96, color=SERIES[0], alpha=max(share, 0.04), linewidth=0
                    )
                )
                if hits:
                    colour = ON_FILL if share > 0.55 else INK
                    size = 10 if n <= 14 else 7
                    axes.text(column, row, str(hits), ha="center", va="center", color=colour, fontsize=size)
        names = [short_name(label) for label in classes]
        axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xlabel="label given", ylabel="true label", aspect="equal")
        upright = max(map(len, names)) * 6 <= cell_in * 72  # a letter takes about six points
        axes.set_xticks(range(n), names, rotation=0 if upright else 45, ha="center" if upright else "right")
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        return svg_element(figure, name)


def reliability_chart(uncalibrated: Reliability, calibrated: Reliability, *, name: str) -> str:
    """Return accuracy by confidence of the predictions, before and after calibration, with the diagonal.

    The size of a dot is the number of predictions in its bin.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.9, 3.7), layout="constrained")
        axes: Any = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        for reliability, colour, label in ((uncalibrated, SERIES[1], "before"), (calibrated, SERIES[0], "after")):
            total = max(sum(each.n for each in reliability.bins), 1)
            sure, right = [each.confidence for each in reliability.bins], [each.accuracy for each in reliability.bins]
            axes.plot(sure, right, color=colour, linewidth=1.2, alpha=0.6)
            sizes = [12 + 220 * each.n / total for each in reliability.bins]
            axes.scatter(sure, right, s=sizes, color=colour, linewidths=0, alpha=0.85)
            axes.scatter([], [], s=36, color=colour, linewidths=0, label=label)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="confidence", ylabel="accuracy", aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.tick_params(labelcolor=INK)
        axes.grid()
        figure.legend(loc="outside lower left", ncols=2, handlelength=1.2, columnspacing=1.2)
        return svg_element(figure, name)


def _figure(*, height_in: float) -> tuple[Figure, Axes]:
    """Return a figure of the usual width with one pair of axes."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.subplots()


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Write a name at each row, the first on top."""
    axes.set_yticks(range(len(names)), [short_name(label) for label in names])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(names) - 0.4, -0.6)


def short_name(label: str) -> str:
    """Return a class name for an axis."""
    return shorten(printable(label), NAME_LIMIT)


def svg_element(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element to be put into a page, the same bytes for the same figure.

    `name` is for screen readers, and makes the ids of the charts of a page distinct.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # The browser draws the text, in any script; matplotlib only measures it.
        warnings.filterwarnings("ignore", r"(?s)Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;]*; ", "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    referenced = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in referenced else "", svg)
    for colour, variable in _CSS.items():
        svg = svg.replace(colour, f"var({variable})")
    width_px = figure.get_figwidth() * 96
    return svg.replace(
        "<svg", f'<svg role="img" aria-label="{escape(printable(name))}" style="max-width: {width_px:.0f}px"', 1
    ).strip()
