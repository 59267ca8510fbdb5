"""The part of a report on the search: what could have been tried, who chose, and what working in parallel gained."""

from pipeline.errors import UsageError
from pipeline.learning.search.ranking import SearchSummary, pace, summarise
from pipeline.report.content import ReportContent
from pipeline.report.view import Column, Section, Table
from pipeline.report.words import count, quantity, scalar
from pipeline.text import MISSING, describe_duration, printable

_WAYS = {
    "random": "Configurations are drawn at random, without repeats.",
    "bayesian": "A Gaussian process fitted to the trials that have ended says which configuration to try next; "
    "the first ones are drawn at random.",
    "hyperband": "Hyperband gives many configurations few epochs and the best of them more; a trial that continues "
    "another begins anew from its seed, so every trial stands for itself.",
}


def search_section(content: ReportContent) -> Section | None:
    """Return the section on the search; nothing when no study was drawn up, or its recipe names what is gone."""
    if content.study is None:
        return None
    try:
        summary = summarise(content.plan.recipe, content.study)
    except UsageError:
        return None
    words = [f"{_WAYS[summary.strategy]} The first trial of each model is its default configuration.", _counts(summary)]
    speed = pace(content.study.own(content.outcomes), content.trials_wall_s)
    if speed is not None:
        words.append(
            f"Speed-up {speed.speed_up:.2f}: {describe_duration(speed.trial_s)} of trials in "
            f"{describe_duration(speed.wall_s)}, from the start of the first to the end of the last."
        )
    if resumption := content.study.describe_resumption():
        words.append(f"The search {printable(resumption)}.")
    words += [
        f"{printable(model.model)} on {printable(model.features)}: {model.note}."
        for model in summary.models
        if model.note
    ]
    return Section(anchor="search", title="Search", words=tuple(words), blocks=(_models(summary), _space(summary)))


def _counts(summary: SearchSummary) -> str:
    fits = (
        "each configuration is fitted once"
        if summary.executions == 1
        else f"each configuration is fitted {summary.executions} times, from different seeds, and its score is the mean"
    )
    again = (
        f"a fit that fails is tried {quantity(summary.retries, 'more time')}"
        if summary.retries
        else "none is tried again"
    )
    return f"{quantity(summary.trials, 'trial')}; {fits}; {again}."


def _models(summary: SearchSummary) -> Table:
    """Return the table of the models with who searches them."""
    return Table(
        caption="What was searched",
        columns=(
            Column(title="Model"),
            Column(title="Features"),
            Column(title="Search"),
            Column(title="Trials", is_number=True),
            Column(title="Configurations there are", is_number=True),
        ),
        rows=tuple(
            (
                printable(model.model),
                printable(model.features),
                model.oracle,
                count(model.trials),
                count(model.configurations) if model.configurations is not None else "no end of them",
            )
            for model in summary.models
        ),
    )


def _space(summary: SearchSummary) -> Table:
    """Return the table of all hyper-parameters."""
    return Table(
        caption="Search space",
        columns=(
            Column(title="Model"),
            Column(title="Hyper-parameter", is_code=True),
            Column(title="Values", is_prose=True),
            Column(title="Default", is_number=True),
            Column(title="When", is_prose=True),
        ),
        rows=tuple(
            (
                printable(model.model),
                printable(dimension.name),
                printable(dimension.values),
                scalar(dimension.default),
                printable(dimension.when) or MISSING,
            )
            for model in summary.models
            for dimension in model.space
        ),
        is_folded=True,
    )
