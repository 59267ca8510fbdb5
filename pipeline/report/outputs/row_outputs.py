"""Outputs on the scores of the rows of each side, before and after training."""

from collections.abc import Mapping

import numpy as np

from pipeline.learning.study.measurements import Measurements, SideScores
from pipeline.report.charts import MOST_CELLS
from pipeline.report.outputs.row_figures import confusion_in_percent, softmax_chart
from pipeline.report.outputs.study import Study
from pipeline.report.view import Block, Chart, Column, Section, Table, first_rows
from pipeline.report.words import count, percent, quantity
from pipeline.text import MISSING, printable

_NOT_TRACKS = "Rows count here, each by itself, where the scores above count tracks."
_COST = "Cost is the cross-entropy and the penalties on weights, if there are any."
_ABOUT_RETRAINED = (
    "The winner of the search was saved and loaded; then all its weights were drawn anew, it was trained again as in "
    "its trial, saved and loaded. How far the two differ is chance: another start, the same data."
)


def sides(study: Study, measurements: Measurements) -> Section | None:
    """Return costs, accuracies and confusion matrices of each side, and the scores of each class on the last one."""
    if not measurements.sides:
        return None
    blocks: list[Block] = [scores_table(measurements.sides, caption="Scores on the rows of each side")]
    last, scores = list(measurements.sides.items())[-1]
    blocks.append(_class_table(scores, caption=f"Scores of each class, {last} rows"))
    classes = study.manifest.classes
    if len(classes) <= MOST_CELLS:
        blocks += [_confusion(side, each, classes) for side, each in measurements.sides.items()]
    words = [_COST if study.evaluation.scored == "rows" else f"{_NOT_TRACKS} {_COST}"]
    if len(study.manifest.classes) == 2:
        words.append(
            "Of two classes, the precision of one is its PPV and the recall its TPR; F1 is their harmonic mean."
        )
    if study.is_crossed:
        words.append(
            "Every track was tested once, so the delivered model has learned from all: see the scores per fold."
        )
    elif study.recipe.search.refit:
        words.append("The model was fitted again on training and validation together before the test.")
    return Section(anchor="sides", title="Row by row", words=tuple(words), blocks=tuple(blocks))


def softmax(study: Study, measurements: Measurements) -> Section | None:
    """Return the probabilities of some rows of the test against the truth."""
    if not measurements.softmax:
        return None
    probabilities, truth = np.array(measurements.softmax), np.array(measurements.softmax_truth)
    entries = quantity(len(probabilities), "entry", "entries")
    chart = Chart(
        svg=softmax_chart(probabilities, truth, study.manifest.classes, name="Model outputs against truth"),
        caption=f"Outputs of {entries} of the test; a ring marks the true class",
        is_wide=True,
    )
    words = ("Drawn at random, in the order of the data. A dot inside its ring is a sure and right answer.",)
    return Section(anchor="softmax", title="Outputs against truth", words=words, blocks=(chart,))


def untrained(study: Study, measurements: Measurements) -> Section | None:
    """Return the accuracies before and after training."""
    if not measurements.untrained:
        return None
    guessing = percent(1 / len(study.manifest.classes))
    table = Table(
        caption="Accuracy on the rows of each side",
        columns=(
            Column(title="Side"),
            *(Column(title=t, is_number=True) for t in ("Before training", "After", "Rows")),
        ),
        rows=tuple(
            (
                side.capitalize(),
                percent(scores_before.accuracy),
                percent(measurements.sides[side].accuracy) if side in measurements.sides else MISSING,
                count(scores_before.rows),
            )
            for side, scores_before in measurements.untrained.items()
        ),
    )
    words = (f"Before its first epoch the network guesses; guessing would be right for {guessing}.",)
    return Section(anchor="untrained", title="Before and after training", words=words, blocks=(table,))


def retrained(study: Study, measurements: Measurements) -> Section | None:
    """Return the scores of the winner whose weights were drawn anew and trained again."""
    if not measurements.retrained:
        return None
    words = (
        _ABOUT_RETRAINED,
        f"It lies beside the run: {printable(str(study.folder / 'retrained'))}.",
    )
    table = scores_table(measurements.retrained, caption="The winner trained again: scores on the rows of each side")
    return Section(anchor="retrained", title="Trained again", words=words, blocks=(table,))


def scores_table(scores: Mapping[str, SideScores], *, caption: str) -> Table:
    """Return cost, cross-entropy, accuracy, and the weighted scores of several sides."""
    return Table(
        caption=caption,
        columns=(
            Column(title="Rows of"),
            *(
                Column(title=title, is_number=True)
                for title in (
                    "Cost",
                    "Cross-entropy",
                    "Accuracy",
                    "From the diagonal",
                    "Precision",
                    "Recall",
                    "F1",
                    "Rows",
                )
            ),
        ),
        rows=tuple(
            (
                printable(name),
                f"{each.cost:.4f}",
                f"{each.cross_entropy:.4f}",
                *(percent(share) for share in (each.accuracy, each.diagonal, each.precision, each.recall, each.f1)),
                count(each.rows),
            )
            for name, each in scores.items()
        ),
        note="Precision, recall and F1 are means over the classes, weighted by their rows.",
    )


def _class_table(scores: SideScores, *, caption: str) -> Table:
    """Return the classification report of a side."""
    rows, note = first_rows(
        [
            (printable(label), percent(each.precision), percent(each.recall), percent(each.f1), count(each.n))
            for label, each in scores.per_class.items()
        ]
    )
    per_class = scores.per_class.values()
    macro = [sum(getattr(each, name) for each in per_class) / len(per_class) for name in ("precision", "recall", "f1")]
    means = (
        ("mean of the classes", *map(percent, macro), count(scores.rows)),
        ("weighted mean", percent(scores.precision), percent(scores.recall), percent(scores.f1), count(scores.rows)),
    )
    return Table(
        caption=caption,
        columns=(
            Column(title="Class"),
            *(Column(title=title, is_number=True) for title in ("Precision", "Recall", "F1", "Rows")),
        ),
        rows=(*rows, *means),
        note=note,
    )


def _confusion(side: str, scores: SideScores, classes: tuple[str, ...]) -> Chart:
    svg = confusion_in_percent(scores.confusion, classes, name=f"Confusion matrix of the {side} rows in per cent")
    small = "; small: of all rows, whose diagonal adds up to the accuracy" if len(classes) <= 6 else ""
    return Chart(svg=svg, caption=f"{side.capitalize()} rows, per cent of their true class{small}")
