"""The sections on the scores of a run, and on its worst mistakes."""

from pipeline.learning.study.results import ClassScores, EvaluationReport, Prediction, Scores
from pipeline.report.charts import MOST_CELLS, confusion_chart
from pipeline.report.sections.trust import SEGMENTS, scores_table
from pipeline.report.view import Block, Chart, Column, Section, Table, first_rows
from pipeline.report.words import bounds, count, enumeration, percent, quantity, relative_path
from pipeline.text import MISSING, printable

WORST_MISTAKES = 20
WORST_PAIRS = 10


def confusion_picture(evaluation: EvaluationReport) -> Chart | None:
    """Return the confusion matrix of the test tracks; nothing when there are too many classes for a picture."""
    if len(evaluation.classes) > MOST_CELLS:
        return None
    svg = confusion_chart(
        evaluation.test,
        evaluation.classes,
        name=f"Confusion matrix of the test {evaluation.scored}, counts by true and given label",
    )
    caption = f"Test {evaluation.scored} by true and given label. Colour: share of the true class."
    return Chart(svg=svg, caption=caption)


def scores_section(evaluation: EvaluationReport, *, picture: Chart | None) -> Section:
    """Return the section on scores per class and per fold, and on confused classes.

    `picture` is the confusion matrix, unless it is elsewhere on the page.
    """
    blocks: list[Block] = [picture] if picture else []
    blocks += [scores_table(evaluation), _class_table(evaluation)]
    wrong = _confused(evaluation.test)
    if wrong:
        blocks.append(_confused_table(evaluation, wrong))
    if len(evaluation.per_partition) > 1:
        blocks.append(_fold_table(evaluation))
    if evaluation.groups_tested > 1:
        blocks.append(_group_table(evaluation))
    words = (
        f"Precision: of the {evaluation.scored} given this label, how many truly have it. Recall: of the "
        f"{evaluation.scored} that have it, how many were given it. F1: the harmonic mean of the two."
    )
    paragraphs = (words, SEGMENTS) if evaluation.segments else (words,)
    return Section(anchor="scores", title="Scores", words=paragraphs, blocks=tuple(blocks))


def _class_table(evaluation: EvaluationReport) -> Table:
    """Return the test scores of every class, the hardest first."""
    blank = ClassScores(precision=0.0, recall=0.0, f1=0.0, n=0)
    per_class = [(label, evaluation.test.per_class.get(label, blank)) for label in evaluation.classes]
    rows, note = first_rows(
        [
            (printable(label), percent(s.precision), percent(s.recall), percent(s.f1), count(s.n))
            for label, s in sorted(per_class, key=lambda item: (item[1].f1, item[0]))
        ]
    )
    return Table(
        caption="Test scores per class, hardest first",
        columns=(
            Column(title="Class"),
            *(
                Column(title=title, is_number=True)
                for title in ("Precision", "Recall", "F1", evaluation.scored.capitalize())
            ),
        ),
        rows=rows,
        note=note,
    )


def _confused(scores: Scores) -> list[tuple[int, int, int]]:
    """Return (tracks, true class, given class) of every pair of classes that was confused, most tracks first."""
    confusions = [
        (hits, true, predicted)
        for true, row in enumerate(scores.confusion)
        for predicted, hits in enumerate(row)
        if hits and true != predicted
    ]
    return sorted(confusions, key=lambda pair: (-pair[0], pair[1:]))


def _confused_table(evaluation: EvaluationReport, wrong: list[tuple[int, int, int]]) -> Table:
    """Return the pairs of classes that are confused most."""
    classes, confusion = evaluation.classes, evaluation.test.confusion
    return Table(
        caption="What is taken for what",
        columns=(
            Column(title="True class"),
            Column(title="Label given"),
            Column(title=evaluation.scored.capitalize(), is_number=True),
            Column(title="Of the class", is_number=True),
        ),
        rows=tuple(
            (printable(classes[true]), printable(classes[predicted]), count(n), percent(n / sum(confusion[true])))
            for n, true, predicted in wrong[:WORST_PAIRS]
        ),
        note=f"{WORST_PAIRS} of {count(len(wrong))} pairs shown." if len(wrong) > WORST_PAIRS else "",
    )


def _fold_table(evaluation: EvaluationReport) -> Table:
    """Return the test scores of every fold, and which trials were chosen for it."""
    folds = evaluation.per_partition
    accuracies = [scores.accuracy for scores in folds.values()]
    return Table(
        caption="Test scores per fold",
        columns=(
            Column(title="Fold"),
            *(Column(title=title, is_number=True) for title in ("Accuracy", "Macro F1", "Tracks", "95% interval")),
            Column(title="Trial chosen"),
        ),
        rows=tuple(
            (
                printable(name),
                percent(s.accuracy),
                percent(s.macro_f1),
                count(s.n),
                bounds(s.accuracy_interval),
                _trials(evaluation.chosen.get(name, ())),
            )
            for name, s in folds.items()
        ),
        note=f"Accuracy from {percent(min(accuracies))} to {percent(max(accuracies))}.",
    )


def _group_table(evaluation: EvaluationReport) -> Table:
    """Return the test scores of the groups, the worst first."""
    rows, note = first_rows(
        [
            (printable(each.name), percent(each.right / each.n), count(each.right), count(each.n), printable(each.fold))
            for each in evaluation.by_group
        ]
    )
    more = evaluation.groups_tested - len(evaluation.by_group)
    return Table(
        caption="Test scores per group, worst first",
        columns=(
            Column(title="Group"),
            *(Column(title=title, is_number=True) for title in ("Accuracy", "Right", evaluation.scored.capitalize())),
            Column(title="Fold"),
        ),
        rows=rows,
        note=f"{count(more)} better ones are not listed." if more else note,
        is_folded=len(evaluation.by_group) > 12,
    )


def mistakes_section(evaluation: EvaluationReport, libraries: tuple[str, ...]) -> Section | None:
    """Return the test tracks that were mislabelled with the greatest confidence; nothing when there are none."""
    wrong = [p for p in evaluation.predictions if p.truth is not None and p.label != p.truth]
    if not wrong:
        return None
    classes, one = evaluation.classes, evaluation.scored.removesuffix("s")
    unsure = sum(p.unsure for p in wrong)
    worst = sorted(wrong, key=lambda p: (-_probability(p, p.label, classes), p.path))[:WORST_MISTAKES]
    table = Table(
        caption="Wrong with the greatest confidence",
        columns=(
            Column(title="File", is_code=True),
            Column(title="True class"),
            Column(title="Label given"),
            Column(title="Confidence", is_number=True),
            Column(title="Of the truth", is_number=True),
            Column(title="Partition"),
        ),
        rows=tuple(
            (
                relative_path(p.path, libraries) + (f" row {p.row}" if p.row is not None else ""),
                printable(p.truth or MISSING),
                printable(p.label),
                percent(_probability(p, p.label, classes)),
                percent(_probability(p, p.truth or "", classes)),
                printable(p.partition),
            )
            for p in worst
        ),
        note=f"{count(len(worst))} of {count(len(wrong))} shown." if len(wrong) > len(worst) else "",
    )
    words = (
        f"{quantity(len(wrong), f'test {one}')} of {count(len(evaluation.predictions))} got a wrong label"
        + (f", {count(unsure)} of them unsure" if unsure else "")
        + ". Listen to those at the top first: the model was sure, so either the label is wrong or there is something "
        "to learn."
    )
    return Section(anchor="mistakes", title="Worst mistakes", words=(words,), blocks=(table,))


def _trials(indices: tuple[int, ...]) -> str:
    return enumeration([str(index) for index in indices]) if indices else MISSING


def _probability(prediction: Prediction, label: str, classes: tuple[str, ...]) -> float:
    """Return the probability a prediction gave to a label; 0 for a label the model does not know."""
    index = classes.index(label) if label in classes else -1
    return prediction.probabilities[index] if 0 <= index < len(prediction.probabilities) else 0.0
