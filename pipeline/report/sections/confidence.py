"""The section on calibration, and on when the model does not answer."""

from pipeline.learning.study.findings import Calibration
from pipeline.learning.study.results import EvaluationReport
from pipeline.report.charts import reliability_chart
from pipeline.report.view import Block, Chart, Column, Section, Table
from pipeline.report.words import count, percent, quantity
from pipeline.text import MISSING, printable


def confidence_section(evaluation: EvaluationReport) -> Section | None:
    """Return the section on calibration and unsure answers; None for a report of an older chordal."""
    calibration = evaluation.calibration
    if calibration is None:
        return None
    words = (_calibrated(calibration, evaluation), _answered(calibration, evaluation))
    chart = Chart(
        svg=reliability_chart(
            calibration.before,
            calibration.after,
            name="Reliability diagram: accuracy by confidence, before and after calibration",
        ),
        caption="Accuracy by confidence on the test, 15 bins of equal width; on the dashed line a confidence of 80% is "
        "right in 80%. The larger a dot, the more answers are in its bin.",
    )
    blocks: list[Block] = [chart, _table(calibration, evaluation)]
    if len(calibration.per_partition) > 1:
        blocks.append(_by_partition(calibration))
    return Section(anchor="confidence", title="What a confidence is worth", words=words, blocks=tuple(blocks))


def _calibrated(calibration: Calibration, evaluation: EvaluationReport) -> str:
    unit = evaluation.scored
    temperature = calibration.delivered.temperature
    if evaluation.scored == "rows":
        return (
            "Temperature scaling (Guo et al., 2017) was settled on validation rows and is shown for the test rows. The "
            "delivered classifier answers for whole tracks, of which rows say nothing: it is not calibrated and "
            "always answers."
        )
    if all(rule.temperature == 1.0 for rule in calibration.per_partition.values()):
        return "The probabilities are as the model tells them: the recipe asks for no calibration."
    direction = "too sure of itself" if temperature > 1 else "not sure enough"
    return (
        f"Probabilities are calibrated by temperature scaling (Guo et al., 2017): one number, {temperature:.2f}, "
        f"fitted on {quantity(calibration.fitted_on, 'validation track')}; the model had been {direction}. The "
        f"expected calibration error on the test {unit} went from {percent(calibration.before.ece)} to "
        f"{percent(calibration.after.ece)}. With few test {unit} some error remains by chance alone."
    )


def _answered(calibration: Calibration, evaluation: EvaluationReport) -> str:
    unit = evaluation.scored
    rule = (
        f"The threshold is the lowest at which the answers on the validation {unit} reach an accuracy of "
        f"{percent(calibration.target_accuracy)}, but at least {percent(calibration.least_coverage)} of them are "
        "answered."
    )
    if calibration.answered == calibration.n:
        return f"{rule} Here that means: every one of the test {unit} gets an answer."
    right = (
        f"{percent(calibration.accuracy)} of the answers are right"
        if calibration.accuracy is not None
        else "none is answered"
    )
    return (
        f"{rule} On the test {percent(calibration.coverage)} get an answer and {right}; without the threshold "
        f"{percent(evaluation.test.accuracy)} are. The rest is \u201cunsure\u201d."
    )


def _table(calibration: Calibration, evaluation: EvaluationReport) -> Table:
    rules = list(calibration.per_partition.values())
    rule = rules[0] if len(rules) == 1 else calibration.delivered
    rows = (
        ("Expected calibration error", percent(calibration.before.ece), percent(calibration.after.ece)),
        ("Log-loss", f"{calibration.before.log_loss:.3f}", f"{calibration.after.log_loss:.3f}"),
        ("Temperature", "1", f"{rule.temperature:.3f}"),
        ("Threshold", MISSING, percent(rule.threshold)),
        ("Answered", count(calibration.n), count(calibration.answered)),
        (
            "Right of the answers",
            MISSING,
            percent(calibration.accuracy) if calibration.accuracy is not None else MISSING,
        ),
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


def _by_partition(calibration: Calibration) -> Table:
    """Return the answer rule for the test of each partition."""
    return Table(
        caption="What each fold's test was read with, settled on its own validation",
        columns=(
            Column(title="Fold"),
            Column(title="Temperature", is_number=True),
            Column(title="Threshold", is_number=True),
        ),
        rows=tuple(
            (printable(name), f"{rule.temperature:.3f}", percent(rule.threshold))
            for name, rule in calibration.per_partition.items()
        ),
        is_folded=True,
    )
