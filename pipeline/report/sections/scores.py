"""The sections of a run that has learned: trials, curves, scores, mistakes."""

from pipeline.learning.search.ranking import order, rank
from pipeline.learning.study.results import ClassScores, EvaluationReport, Prediction, Scores
from pipeline.learning.study.trials import TrialOutcome
from pipeline.report.charts import MOST_BARS, MOST_CELLS, MOST_CURVES, confusion_chart, curves_chart, trials_chart
from pipeline.report.content import ReportContent
from pipeline.report.sections.trust import SEGMENTS, scores_table
from pipeline.report.view import Block, Chart, Column, Section, Table, first_rows
from pipeline.report.words import bounds, count, enumeration, pairs, percent, quantity, reason, relative_path
from pipeline.text import MISSING, describe_duration, printable

WORST_MISTAKES = 20
WORST_PAIRS = 10


def majority_share(scores: Scores) -> float:
    """Return the accuracy of always naming the class that is largest among the scored tracks."""
    return max((sum(row) for row in scores.confusion), default=0) / scores.n if scores.n else 0.0


def completed_trials(content: ReportContent) -> list[TrialOutcome]:
    """Return the completed trials, best validation accuracy first."""
    done = [outcome for outcome in content.outcomes if outcome.state == "completed"]
    return sorted(done, key=order)


def trials_section(content: ReportContent) -> Section | None:
    """Return the section on all trials: a chart, and a table that also has those that failed or never ran."""
    if not content.trials and not content.outcomes:
        return None
    done = completed_trials(content)
    failed = sorted((o for o in content.outcomes if o.state == "failed"), key=lambda outcome: outcome.spec.index)
    skipped = sorted((o for o in content.outcomes if o.state == "skipped"), key=lambda outcome: outcome.spec.index)
    ended = {outcome.spec.index for outcome in content.outcomes}
    missing = [spec for spec in content.trials if spec.index not in ended]
    chosen = _chosen(content)
    rows = [_trial_row(outcome, is_chosen=outcome.spec.index in chosen) for outcome in [*done, *failed, *skipped]]
    rows += [
        (str(s.index), "not run", printable(s.family), printable(s.features), MISSING, pairs(s.hyperparameters))
        + (MISSING,) * 4
        for s in missing
    ]
    listed, note = first_rows(rows)
    table = Table(
        caption="Trials, best first",
        columns=(
            Column(title="Trial", is_number=True),
            Column(title="State"),
            Column(title="Model"),
            Column(title="Features"),
            Column(title="Validation", is_number=True),
            Column(title="Hyper-parameters", is_prose=True),
            Column(title="Parameters", is_number=True),
            Column(title="Epochs", is_number=True),
            Column(title="Time", is_number=True),
            Column(title="Host"),
        ),
        rows=listed,
        note=note,
    )
    requested = max(len(content.trials), len(content.outcomes), len(content.study.indices) if content.study else 0)
    unrun = requested - len(content.outcomes)
    by_row = content.split is not None and content.split.strategy == "rows"
    unit = "single rows; no test row is looked at" if by_row else "whole tracks; no test track is looked at"
    words = [
        f"{quantity(requested, 'trial')} asked for, {count(len(done))} completed, {count(len(failed))} failed"
        + (f", {count(len(skipped))} skipped" if skipped else "")
        + (f", {count(unrun)} not run" if unrun else "")
        + f". Trials are compared by validation accuracy over {unit}."
    ]
    if any(len(outcome.executions) > 1 for outcome in done):
        words.append(
            "Behind \u00b1 stands the standard deviation over the executions of a trial, in percentage points."
        )
    blocks: list[Block] = [table]
    if done:
        largest = majority_share(content.evaluation.validation) if content.evaluation else None
        caption = "Validation accuracy of each trial; small dots are its single fits"
        if len(done) > MOST_BARS:
            caption += f" (the {MOST_BARS} best of {count(len(done))})"
        svg = trials_chart(done, baseline=largest, name="Dot chart of validation accuracy by trial")
        blocks.insert(0, Chart(svg=svg, caption=caption))
    return Section(anchor="trials", title="Trials", words=tuple(words), blocks=tuple(blocks))


def curves_section(content: ReportContent) -> Section | None:
    """Return the learning curves of the chosen trials, else of the best; nothing when none was fitted in epochs."""
    chosen = _chosen(content)
    curved = [outcome for outcome in completed_trials(content) if any(fit.curves for fit in outcome.fits)]
    picked = [o for o in curved if o.spec.index in chosen]
    words = ["One line per fit, over its epochs; training and validation drifting apart is overfitting."]
    if not picked and chosen and curved:
        words.append("The chosen model is not fitted in epochs; these are the curves of the best trial that is.")
    listed = (picked or curved[:1])[:MOST_CURVES]
    if not listed:
        return None
    charts = tuple(
        Chart(
            svg=curves_chart(outcome, name=f"Learning curves of trial {outcome.spec.index}"),
            caption=(
                f"Trial {outcome.spec.index}: {printable(outcome.spec.family)} on {printable(outcome.spec.features)}, "
                f"{quantity(len(outcome.fits), 'fit')}"
            ),
        )
        for outcome in listed
    )
    return Section(anchor="curves", title="Learning curves", words=tuple(words), blocks=charts)


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


def _chosen(content: ReportContent) -> set[int]:
    """Return the indices of the trials that were chosen for any partition."""
    return {i for indices in content.evaluation.chosen.values() for i in indices} if content.evaluation else set()


def _trial_row(outcome: TrialOutcome, *, is_chosen: bool) -> tuple[str, ...]:
    spec = outcome.spec
    is_done = outcome.state == "completed"
    state = ("chosen" if is_chosen else "completed") if is_done else f"{outcome.state}: {reason(outcome.reason)}"
    if outcome.attempts > 1:
        state += f" ({outcome.attempts} attempts)"
    (row,) = rank([outcome])
    validation = percent(outcome.objective) if is_done else MISSING
    if row.spread is not None:
        validation += f" \u00b1 {100 * row.spread:.1f}"
    parameters = max((fit.parameters for fit in outcome.fits), default=0)
    epochs = sorted({fit.epochs for fit in outcome.fits if fit.epochs})
    span = str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}" if epochs else MISSING
    return (
        str(spec.index),
        state,
        printable(spec.family),
        printable(spec.features),
        validation,
        pairs({**spec.hyperparameters, **spec.origin}),
        count(parameters) if parameters else MISSING,
        span,
        describe_duration(outcome.seconds),
        printable(outcome.host) or MISSING,
    )


def _trials(indices: tuple[int, ...]) -> str:
    return enumeration([str(index) for index in indices]) if indices else MISSING


def _probability(prediction: Prediction, label: str, classes: tuple[str, ...]) -> float:
    """Return the probability a prediction gave to a label; 0 for a label the model does not know."""
    place = classes.index(label) if label in classes else -1
    return prediction.probabilities[place] if 0 <= place < len(prediction.probabilities) else 0.0
