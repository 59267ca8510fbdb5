"""The search of a recipe, and the trials of a run, for `chordal recipes NAME` and `chordal status --trials`."""

from typing import TYPE_CHECKING, Any

from workers.cli import options
from workers.cli.tables import console, show_facts, show_rows

if TYPE_CHECKING:
    from pipeline.learning.search.ranking import RankedTrial, SearchSummary
    from pipeline.plans.objectives import Objective
    from storage.home import Home


def show_search(name_or_file: str, *, as_json: bool) -> None:
    """Print what a recipe searches: how many trials of which model, over which hyper-parameters.

    Raises `UsageError` naming the recipe and the mistake.
    """
    from pipeline.learning.search.ranking import summarise
    from workers.runs.request import recipe_of

    recipe = recipe_of(name_or_file, trials=None)
    summary = summarise(recipe)
    if as_json:
        options.emit({**recipe.to_wire(), "searched": summary.to_wire()})
        return
    show_facts([("recipe", recipe.name), ("title", recipe.title), ("features", ", ".join(recipe.families))])
    _show_summary(summary)


def trials_wire(home: "Home", run_id: str) -> dict[str, Any]:
    """Return the search of a run and its trials, the best first, as `--json` prints them."""
    from pipeline.learning.search.ranking import pace, summarise
    from storage.ledger.times import trials_wall_s

    ledger = home.ledger
    study = ledger.study(run_id)
    if study is None:
        return {}
    wire: dict[str, Any] = summarise(ledger.plan(run_id).recipe, study).to_wire()
    if study.continues:
        wire |= {"continues": study.continues, "taken_over": list(study.taken_over)}
    wire["ranking"] = [row.to_wire() for row in _ranking(home, run_id)]
    speed = pace(study.own(ledger.outcomes(run_id)), trials_wall_s(ledger, run_id))
    return wire if speed is None else {**wire, **speed.to_wire(), "speed_up": round(speed.speed_up, 3)}


def show_trials(home: "Home", run_id: str) -> None:
    """Print the search of a run and its trials, the best first."""
    from pipeline.learning.search.ranking import pace, summarise
    from storage.ledger.times import trials_wall_s

    ledger = home.ledger
    study = ledger.study(run_id)
    if study is None:
        console().print("no trials yet: the study is not drawn up")
        return
    _show_summary(summarise(ledger.plan(run_id).recipe, study))
    if words := study.describe_resumption():
        console().print(f"\n{words}")
    objective = ledger.plan(run_id).recipe.search.objective
    rows = [_row(row, objective) for row in _ranking(home, run_id)]
    columns = (
        "rank",
        "trial",
        "state",
        "model",
        "validation",
        "hyper-parameters",
        "seconds",
        "attempts",
        "host",
        "reason",
    )
    console().print()
    show_rows(columns, rows)
    speed = pace(study.own(ledger.outcomes(run_id)), trials_wall_s(ledger, run_id))
    if speed is not None:
        console().print(
            f"\n{speed.trial_s:.1f} s of trials in {speed.wall_s:.1f} s: a speed-up of {speed.speed_up:.2f}"
        )


def _ranking(home: "Home", run_id: str) -> "tuple[RankedTrial, ...]":
    from pipeline.learning.search.ranking import rank

    return rank(home.ledger.outcomes(run_id), home.ledger.trials(run_id))


def _show_summary(summary: "SearchSummary") -> None:
    from pipeline.learning.search.ranking import describe_search

    console().print()
    console().print(describe_search(summary)[0])
    rows = [
        (
            model.model,
            model.features,
            model.oracle,
            str(model.trials),
            each.name,
            each.values,
            str(each.default),
            each.when,
        )
        for model in summary.models
        for each in model.space
    ]
    show_rows(("model", "features", "search", "trials", "hyper-parameter", "values", "default", "when"), rows)
    for model in summary.models:
        if model.note:
            console().print(f"{model.model} on {model.features}: {model.note}")


def _row(row: "RankedTrial", objective: "Objective") -> tuple[str, ...]:
    from pipeline.plans.objectives import describe_objective

    spread = "" if row.spread is None else f" \u00b1 {100 * row.spread:.1f}"
    values = {**row.hyperparameters, **row.origin}
    return (
        "" if row.rank is None else str(row.rank),
        str(row.trial),
        row.state,
        f"{row.model} on {row.features}",
        "" if row.score is None else f"{describe_objective(objective, row.score)}{spread}",
        ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
        ),
        f"{row.seconds:.1f}",
        str(row.attempts),
        row.host,
        row.reason,
    )
