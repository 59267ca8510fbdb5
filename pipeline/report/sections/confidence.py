"""The section on calibration, and on when the model does not answer."""

from pipeline.learning.study.findings import Calibration
from pipeline.learning.study.results import EvaluationReport
from pipeline.report.charts import reliability_chart
from pipeline.report.view import Block, Chart, Column, Section, Table
from pipeline.report.words import count, percent, quantity
from pipeline.text import MISSING, printable


def confidence_section(evaluation: EvaluationReport, *, is_refit: bool) -> Section | None:
    """Return the section on calibration and unsure answers; None for a report of an older chordal.

    `is_refit` says whether the winner was fitted again on its validation tracks too.
    """
    calibration = evaluation.calibration
    if calibration is None:
        return None
    words = (_calibrated(calibration, evaluation, is_refit=is_refit), _answered(calibration, evaluation))
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


def _calibrated(calibration: Calibration, evaluation: EvaluationReport, *, is_refit: bool) -> str:
    unit = evaluation.scored
    temperature = calibration.delivered.temperature
    if evaluation.scored == "rows":
        return (
            "Temperature scaling (Guo et al., 2017) was settled on validation rows and is shown for the test rows. The "
            "delivered classifier answers for whole tracks, of which rows say nothing: it is not calibrated and "
            "always answers."
        )
    if all(rule.temperature == 1.0 for rule in calibration.per_partition.values()) and temperature == 1.0:
        return (
            "The probabilities are as the model tells them: either the recipe asks for no calibration, or no "
            "temperature made them better for validation groups that it was not fitted on. Their expected calibration "
            f"error on the test {unit} is {percent(calibration.after.ece)}."
        )
    groups = f" in {quantity(calibration.groups, 'group')}" if calibration.groups else ""
    fitted = f"fitted on {quantity(calibration.fitted_on, 'validation track')}{groups}"
    refit = (
        " It is that of models that had not learned from these tracks; the delivered one has, and may be surer with "
        "good reason."
        if temperature != 1.0 and (is_refit or len(calibration.per_partition) > 1)
        else ""
    )
    return (
        f"Probabilities are calibrated by temperature scaling (Guo et al., 2017): one number, {temperature:.2f}, "
        f"{fitted}; {_direction(temperature)}.{refit} {_effect(calibration, unit)}"
    )


def _direction(temperature: float) -> str:
    if temperature == 1.0:
        return "over all folds none was better than another, so the delivered model keeps its probabilities"
    return f"on these tracks the model had been {'too sure of itself' if temperature > 1 else 'not sure enough'}"


def _effect(calibration: Calibration, unit: str) -> str:
    """Return what calibration did to the test, in words, better or worse."""
    before, after = calibration.before, calibration.after
    errors = f"from {percent(before.ece)} to {percent(after.ece)}"
    losses = f"the log-loss from {before.log_loss:.3f} to {after.log_loss:.3f}"
    if after.log_loss <= before.log_loss and after.ece > before.ece:
        return (
            f"On the test {unit} it is no clear gain: {losses}, which is better, but the expected calibration error "
            f"went {errors}, which is worse."
        )
    if after.log_loss > before.log_loss:
        return (
            f"On the test {unit} it made things worse: the expected calibration error went {errors}, {losses}. "
            "Validation groups were not like the tested ones, or the model that was fitted again learned from more; "
            "`answer.calibrate = false` in the recipe leaves the probabilities as they are."
        )
    return f"On the test {unit} the expected calibration error went {errors}, {losses}."


def _answered(calibration: Calibration, evaluation: EvaluationReport) -> str:
    unit, asked = evaluation.scored, percent(calibration.target_accuracy)
    least = (
        f", but at least {percent(calibration.least_coverage)} of them get one" if calibration.least_coverage else ""
    )
    rule = (
        f"The threshold is the lowest at which the answers are sure (at nine in ten) to be right in {asked}, by a "
        f"lower bound over groups of validation {unit}{least}. Where none is, only what the model takes for {asked} "
        "certain is answered."
    )
    if calibration.accuracy is None:
        return f"{rule} On the test none is answered."
    reached = f"{asked} were asked, {percent(calibration.accuracy)} of the answers are right"
    if calibration.answered == calibration.n:
        return f"{rule} Every one of the test {unit} gets an answer: {reached}."
    return (
        f"{rule} On the test {percent(calibration.coverage)} get an answer: {reached}; without the threshold "
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
        ("Right of the answers, as asked", MISSING, percent(calibration.target_accuracy)),
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
