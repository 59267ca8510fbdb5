"""The sections on the trials of a run, and on their learning curves."""

from pipeline.learning.search.ranking import order, rank
from pipeline.learning.study.trials import FitReport, TrialOutcome
from pipeline.plans.objectives import TITLES, Objective, describe_objective
from pipeline.report.charts import MOST_BARS, MOST_CURVES, curves_chart, trials_chart
from pipeline.report.content import ReportContent
from pipeline.report.view import Block, Chart, Column, Section, Table, first_rows
from pipeline.report.words import count, pairs, percent, quantity, reason
from pipeline.text import MISSING, describe_duration, printable


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
    chosen, objective = _chosen(content), content.plan.recipe.search.objective
    rows = [
        _trial_row(outcome, objective, is_chosen=outcome.spec.index in chosen) for outcome in [*done, *failed, *skipped]
    ]
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
        + f". Trials are compared by validation {TITLES[objective]} over {unit}."
    ]
    if any(len(outcome.executions) > 1 for outcome in done):
        words.append(
            "Behind \u00b1 stands the standard deviation over the executions of a trial, in percentage points."
        )
    blocks: list[Block] = [table]
    if done:
        by_accuracy = content.evaluation is not None and objective == "accuracy"
        largest = content.evaluation.validation.majority_share if content.evaluation and by_accuracy else None
        caption = f"Validation {TITLES[objective]} of each trial; small dots are its single fits"
        if len(done) > MOST_BARS:
            caption += f" (the {MOST_BARS} best of {count(len(done))})"
        chart_name = f"Dot chart of validation {TITLES[objective]} by trial"
        svg = trials_chart(done, baseline=largest, name=chart_name, objective=objective)
        blocks.insert(0, Chart(svg=svg, caption=caption))
    return Section(anchor="trials", title="Trials", words=tuple(words), blocks=tuple(blocks))


def curves_section(content: ReportContent) -> Section | None:
    """Return the learning curves of the chosen trials, then of the others, side by side on the same axes.

    Nothing when none was fitted in epochs.
    """
    chosen = _chosen(content)
    curved = [outcome for outcome in completed_trials(content) if any(fit.curves for fit in outcome.fits)]
    picked = [o for o in curved if o.spec.index in chosen]
    words = ["One line per fit, over its epochs; training and validation drifting apart is overfitting."]
    if not picked and chosen and curved:
        words.append("The chosen model is not fitted in epochs; these are the curves of the best trial that is.")
    listed = [*picked, *(outcome for outcome in curved if outcome not in picked)][:MOST_CURVES]
    if not listed:
        return None
    if len(curved) > len(listed):
        words.append(f"The {len(listed)} best of {count(len(curved))} trials with curves are shown.")
    if len(listed) > 1:
        words.append("All have the same axes, so that they can be held against each other.")
    most = max(value for outcome in listed for fit in outcome.fits for value in _losses(fit))
    charts = tuple(
        Chart(
            svg=curves_chart(outcome, name=f"Learning curves of trial {outcome.spec.index}", most_loss=most),
            caption=_curve_caption(outcome, listed, is_chosen=outcome in picked),
        )
        for outcome in listed
    )
    return Section(anchor="curves", title="Learning curves", words=tuple(words), blocks=charts)


def _losses(fit: FitReport) -> tuple[float, ...]:
    values = (*fit.curves.get("loss", ()), *fit.curves.get("val_loss", ()))
    return values or (0.0,)


def _curve_caption(outcome: TrialOutcome, listed: list[TrialOutcome], *, is_chosen: bool) -> str:
    """Return which trial it is, in what it differs from the others, and the best of its accuracies."""
    spec = outcome.spec
    differing = {
        name: value
        for name, value in spec.hyperparameters.items()
        if any(other.spec.hyperparameters.get(name) != value for other in listed)
    }
    best = [
        f"{side} {percent(max(values))}"
        for side, name in (("training", "accuracy"), ("validation", "val_accuracy"))
        if (values := [value for fit in outcome.fits for value in fit.curves.get(name, ())])
    ]
    return (
        f"Trial {spec.index}{', chosen' if is_chosen else ''}: {printable(spec.family)} on {printable(spec.features)}"
        + (f", {pairs(differing)}" if differing else "")
        + f", {quantity(len(outcome.fits), 'fit')}"
        + (f"; best accuracies: {', '.join(best)}" if best else "")
    )


def _chosen(content: ReportContent) -> set[int]:
    """Return the indices of the trials that were chosen for any partition."""
    return {i for indices in content.evaluation.chosen.values() for i in indices} if content.evaluation else set()


def _trial_row(outcome: TrialOutcome, objective: Objective, *, is_chosen: bool) -> tuple[str, ...]:
    spec = outcome.spec
    is_done = outcome.state == "completed"
    state = ("chosen" if is_chosen else "completed") if is_done else f"{outcome.state}: {reason(outcome.reason)}"
    if outcome.attempts > 1:
        state += f" ({outcome.attempts} attempts)"
    (row,) = rank([outcome])
    validation = describe_objective(objective, outcome.objective) if is_done else MISSING
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
