"""A search before it begins, and the ranking of its trials: for the command line, `--json` and the report."""

import statistics
from collections.abc import Iterable, Sequence

from pipeline.learning.search.plan import plan_study
from pipeline.learning.search.spaces import Dimension, describe, space_of
from pipeline.learning.study.trials import StudyPlan, TrialOutcome, TrialSpec
from pipeline.plans.objectives import TITLES, Objective
from pipeline.plans.recipe import Recipe, Scalar
from pipeline.wire import Value


class SearchedModel(Value, frozen=True, kw_only=True):
    """How one model of a recipe is searched."""

    model: str
    features: str
    oracle: str
    trials: int
    configurations: int | None
    """How many its space has; None for a continuum."""
    space: tuple[Dimension, ...]
    note: str = ""

    @property
    def searched(self) -> tuple[Dimension, ...]:
        """The hyper-parameters that are searched over, without the fixed ones."""
        return tuple(dimension for dimension in self.space if not dimension.values.endswith("(fixed)"))


class SearchSummary(Value, frozen=True, kw_only=True):
    """A search before it begins."""

    strategy: str
    trials: int
    objective: Objective = "accuracy"
    """What trials are ranked and chosen by."""
    executions: int
    """Of each trial."""
    retries: int
    models: tuple[SearchedModel, ...]


class RankedTrial(Value, frozen=True, kw_only=True):
    """A trial among the others."""

    rank: int | None
    """1 is the best; None for one that did not complete."""
    trial: int
    state: str
    """completed, failed, skipped, or running: proposed, not ended."""
    model: str
    features: str
    hyperparameters: dict[str, Scalar]
    score: float | None = None
    """Mean over executions and partitions of what the search makes best; higher is better."""
    spread: float | None = None
    """Standard deviation of the executions' scores (n - 1); None for a single one."""
    scores: tuple[float, ...] = ()
    """Of each execution."""
    seconds: float = 0.0
    host: str = ""
    attempts: int = 1
    seed: int = 0
    origin: dict[str, Scalar] = {}
    reason: str = ""


class Pace(Value, frozen=True, kw_only=True):
    """The speed of several trials at a time."""

    trial_s: float
    """Seconds of all trials together."""
    wall_s: float
    """Seconds from the start of the first to the end of the last."""

    @property
    def speed_up(self) -> float:
        """How many trials were worked on at a time, on average."""
        return self.trial_s / self.wall_s if self.wall_s > 0 else 1.0


def summarise(recipe: Recipe, study: StudyPlan | None = None) -> SearchSummary:
    """Return what a recipe's study searches, without importing TensorFlow; `study` is the run's, if it has one.

    Raises `UsageError` for a recipe that names what does not exist.
    """
    planned = plan_study(recipe) if study is None else study
    choices = {(choice.family, choice.features): choice for choice in recipe.models}
    if len(planned.models) == len(recipe.models):
        pairs = list(zip(planned.models, recipe.models, strict=True))
    else:  # an old run's, in which two models alike are one
        pairs = [(model, choices[model.family, model.features]) for model in planned.models]
    return SearchSummary(
        strategy=planned.strategy,
        trials=len(planned.indices),
        objective=recipe.search.objective,
        executions=recipe.search.executions,
        retries=recipe.search.retries,
        models=tuple(
            SearchedModel(
                model=model.family,
                features=model.features,
                oracle=model.oracle,
                trials=len(model.trials),
                configurations=model.configurations,
                space=describe(space_of(choice)),
                note=model.note,
            )
            for model, choice in pairs
        ),
    )


def rank(outcomes: Iterable[TrialOutcome], specs: Sequence[TrialSpec] = ()) -> tuple[RankedTrial, ...]:
    """Return trials, the best first, then those that failed, were skipped or run still, by index.

    `specs` are those that were proposed. Ties as where the winner is chosen: the lower log-loss, the lower index.
    """
    ended = sorted(outcomes, key=order)
    ended_indices = {outcome.spec.index for outcome in ended}
    rows = [_ranked_trial(outcome, position) for position, outcome in enumerate(ended, start=1)]
    rows += [
        RankedTrial(
            rank=None,
            trial=spec.index,
            state="running",
            model=spec.family,
            features=spec.features,
            hyperparameters=spec.hyperparameters,
            seed=spec.seed,
            origin=spec.origin,
        )
        for spec in sorted(specs, key=lambda spec: spec.index)
        if spec.index not in ended_indices
    ]
    return tuple(rows)


def order(outcome: TrialOutcome) -> tuple[bool, float, float, int]:
    """Return what trials are sorted by, the best first."""
    losses = [fit.validation_log_loss for fit in outcome.fits]
    return (
        outcome.state != "completed",
        -outcome.objective,
        statistics.fmean(losses) if losses else 0.0,
        outcome.spec.index,
    )


def pace(outcomes: Iterable[TrialOutcome], wall_s: float | None) -> Pace | None:
    """Return the speed of several trials at a time; None where the wall time is not known."""
    seconds = [outcome.seconds for outcome in outcomes if outcome.state != "skipped"]
    return Pace(trial_s=sum(seconds), wall_s=wall_s) if wall_s and seconds else None


def describe_search(summary: SearchSummary) -> list[str]:
    """Return a search in words, line by line: how many trials, then each model with its search space."""
    executions = f" of {summary.executions} executions" if summary.executions > 1 else ""
    best = "" if summary.objective == "accuracy" else f", by {TITLES[summary.objective]} of validation tracks"
    lines = [f"search: {summary.strategy}, {_trials(summary.trials)}{executions}{best}"]
    for model in summary.models:
        words = [f"{_trials(model.trials)}{_space_size(model.configurations)}", model.note, describe_space(model)]
        lines.append(f"  {model.model} on {model.features}: {'; '.join(filter(None, words))}")
    return lines


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count:,} trials"


def _space_size(configurations: int | None) -> str:
    """Return how many configurations there are, in words; empty for a continuum and for one."""
    return "" if configurations in {None, 1} else f", {configurations:,} configurations there are"


def describe_space(model: SearchedModel) -> str:
    """Return the search space of a model in one line: `c 2 to 30, logarithmic; gamma 0.2 to 1, logarithmic`."""
    return "; ".join(
        f"{dimension.name} {dimension.values}" + (f" (when {dimension.when})" if dimension.when else "")
        for dimension in model.searched
    )


def _ranked_trial(outcome: TrialOutcome, position: int) -> RankedTrial:
    spec, is_whole = outcome.spec, outcome.state == "completed"
    scores = tuple(execution.objective for execution in outcome.executions if execution.state == "completed")
    return RankedTrial(
        rank=position if is_whole else None,
        trial=spec.index,
        state=outcome.state,
        model=spec.family,
        features=spec.features,
        hyperparameters=spec.hyperparameters,
        score=outcome.objective if is_whole else None,
        spread=statistics.stdev(scores) if is_whole and len(scores) > 1 else None,
        scores=scores,
        seconds=outcome.seconds,
        host=outcome.host,
        attempts=outcome.attempts,
        seed=spec.seed,
        origin=spec.origin,
        reason=outcome.reason,
    )
