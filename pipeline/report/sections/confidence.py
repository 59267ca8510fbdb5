"""The part of a report that tells what a confidence is worth, and when the model had better say nothing."""

from pipeline.learning.study.findings import Calibration
from pipeline.learning.study.results import EvaluationReport
from pipeline.report.charts import reliability_chart
from pipeline.report.view import Block, Chart, Column, Section, Table
from pipeline.report.words import count, counted, percent
from pipeline.text import MISSING, printable


def confidence_section(evaluation: EvaluationReport) -> Section | None:
    """Return the section on calibration and unsure answers; nothing for a report of an older chordal."""
    told = evaluation.calibration
    if told is None:
        return None
    words = (_calibrated(told, evaluation), _answered(told, evaluation))
    chart = Chart(
        svg=reliability_chart(
            told.before, told.after, name="Reliability diagram: accuracy by confidence, before and after calibration"
        ),
        caption="Accuracy by confidence on the test, 15 bins of equal width; on the dashed line a confidence of 80% is "
        "right in 80%. The larger a dot, the more answers are in its bin.",
    )
    blocks: list[Block] = [chart, _table(told, evaluation)]
    if len(told.per_partition) > 1:
        blocks.append(_by_partition(told))
    return Section(anchor="confidence", title="What a confidence is worth", words=words, blocks=tuple(blocks))


def _calibrated(told: Calibration, evaluation: EvaluationReport) -> str:
    of = evaluation.scored
    warm = told.delivered.temperature
    if evaluation.scored == "rows":
        return (
            "Temperature scaling (Guo et al., 2017) was settled on validation rows and is shown for the test rows. The "
            "delivered classifier answers for whole tracks, of which rows say nothing: it is not calibrated and "
            "always answers."
        )
    if all(answer.temperature == 1.0 for answer in told.per_partition.values()):
        return "The probabilities are as the model tells them: the recipe asks for no calibration."
    direction = "too sure of itself" if warm > 1 else "not sure enough"
    return (
        f"Probabilities are calibrated by temperature scaling (Guo et al., 2017): one number, {warm:.2f}, fitted on "
        f"{counted(told.fitted_on, 'validation track')}; the model had been {direction}. The expected calibration "
        f"error on the test {of} went from {percent(told.before.ece)} to {percent(told.after.ece)}. With few test {of} "
        "some error remains by chance alone."
    )


def _answered(told: Calibration, evaluation: EvaluationReport) -> str:
    of = evaluation.scored
    rule = (
        f"The threshold is the lowest at which the answers on the validation {of} reach an accuracy of "
        f"{percent(told.target_accuracy)}, but at least {percent(told.least_coverage)} of them are answered."
    )
    if told.answered == told.n:
        return f"{rule} Here that means: every one of the test {of} gets an answer."
    right = f"{percent(told.accuracy)} of the answers are right" if told.accuracy is not None else "none is answered"
    return (
        f"{rule} On the test {percent(told.coverage)} get an answer and {right}; without the threshold "
        f"{percent(evaluation.test.accuracy)} are. The rest is \u201cunsure\u201d."
    )


def _table(told: Calibration, evaluation: EvaluationReport) -> Table:
    answers = list(told.per_partition.values())
    answer = answers[0] if len(answers) == 1 else told.delivered
    rows = (
        ("Expected calibration error", percent(told.before.ece), percent(told.after.ece)),
        ("Log-loss", f"{told.before.log_loss:.3f}", f"{told.after.log_loss:.3f}"),
        ("Temperature", "1", f"{answer.temperature:.3f}"),
        ("Threshold", MISSING, percent(answer.threshold)),
        ("Answered", count(told.n), count(told.answered)),
        ("Right of the answers", MISSING, percent(told.accuracy) if told.accuracy is not None else MISSING),
    )
    return Table(
        caption="Before and after",
        columns=(
            Column(title="On the test"),
            Column(title="As the model tells", is_number=True),
            Column(title="Calibrated", is_number=True),
        ),
        rows=rows,
        note="" if evaluation.scored == "rows" else "Temperature and threshold are those of the delivered classifier.",
    )


def _by_partition(told: Calibration) -> Table:
    """Return what the test of each partition was read with."""
    return Table(
        caption="What each fold's test was read with, settled on its own validation",
        columns=(
            Column(title="Fold"),
            Column(title="Temperature", is_number=True),
            Column(title="Threshold", is_number=True),
        ),
        rows=tuple(
            (printable(name), f"{answer.temperature:.3f}", percent(answer.threshold))
            for name, answer in told.per_partition.items()
        ),
        is_folded=True,
    )
