"""The trials of a study: how many of each model, and the oracle that proposes their configurations."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.learning.models.hyperparameters import check_columns
from pipeline.learning.search.oracles import Answer, Search, advance, sweep_sizes
from pipeline.learning.search.spaces import configurations, space_of
from pipeline.learning.study.oracle_state import OracleState
from pipeline.learning.study.trials import PlannedModel, StudyPlan, TrialOutcome, TrialSpec
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import Strategy

EPOCHS = "epochs"
"""The hyper-parameter that Hyperband rations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The answer of a model's oracle to a request for a trial."""

    answer: Answer
    state: OracleState
    """The next state of the oracle; the same object where nothing changed."""
    specs: tuple[TrialSpec, ...]
    """All trials it has proposed, by index."""


def plan_study(recipe: Recipe) -> StudyPlan:
    """Return how many trials a study has and which model each of them tries, without importing TensorFlow.

    Trials are shared out by weight, every model once before any twice, none more often than it has configurations; a
    model searched by Hyperband takes those of one whole sweep. Raises `UsageError` as `check_models` does.
    """
    oracles = [_oracle_of(choice, recipe) for choice in recipe.models]
    sizes = [configurations(space_of(choice)) for choice in recipe.models]
    weights = [choice.weight for choice in recipe.models]
    swept = [position for position, (oracle, _) in enumerate(oracles) if oracle == "hyperband"]
    most = {position: 0 if position in swept else size or recipe.search.trials for position, size in enumerate(sizes)}
    counts = Counter(_allocation(weights, most, recipe.search.trials))
    for position in swept:
        counts[position] = weights[position] = _sweep_trials(recipe, recipe.models[position])
    allocation = _allocation(weights, counts, counts.total())
    return StudyPlan(
        strategy=recipe.search.strategy,
        models=tuple(
            PlannedModel(
                name=f"{position:02d}-{choice.family}",
                family=choice.family,
                features=choice.features,
                oracle=oracles[position][0],
                trials=tuple(index for index, model in enumerate(allocation) if model == position),
                configurations=sizes[position],
                note=oracles[position][1],
            )
            for position, choice in enumerate(recipe.models)
        ),
    )


def propose(
    recipe: Recipe,
    study: StudyPlan,
    state: OracleState | None,
    outcomes: Iterable[TrialOutcome],
    index: int,
    *,
    run_id: str,
    seed: int,
) -> Proposal:
    """Report new outcomes to the oracle of a trial's model, and request that trial from it.

    `state` is the newest state, None before the first request. The first trial of a model is its default
    configuration. A trial that continues another has its seed, and so repeats it as far as that went.
    """
    position = study.model_of(index)
    choice = recipe.models[position]
    search = _search(recipe, study, position, seed=seed)
    next_state, answer = advance(search, state or OracleState(), outcomes, index)
    specs = tuple(
        _spec(recipe, choice, next_state, number, space=[p.name for p in search.space], run_id=run_id, seed=seed)
        for number in sorted(next_state.proposed)
    )
    return Proposal(
        answer=answer, state=state if next_state == state and state is not None else next_state, specs=specs
    )


def propose_trials(recipe: Recipe, *, run_id: str, seed: int) -> tuple[TrialSpec, ...]:
    """Return the trials of a study whose configurations do not depend on outcomes, for use without workers.

    The first trial of each model is its family's default configuration; the others are drawn at random, without
    repeats. Equal seeds give equal trials. Raises `UsageError` as `check_models` does, and for another strategy.
    """
    if recipe.search.strategy != "random":
        raise UsageError(
            f"recipe {recipe.name}: search.strategy {recipe.search.strategy} chooses by outcomes; ask `propose` "
            "whenever a trial has ended"
        )
    study = plan_study(recipe)
    specs: list[TrialSpec] = []
    for model in study.models:
        if not model.trials:
            continue
        specs += propose(recipe, study, None, (), model.trials[-1], run_id=run_id, seed=seed).specs
    return tuple(sorted(specs, key=lambda spec: spec.index))


def check_models(recipe: Recipe) -> None:
    """Refuse models, features and hyper-parameters that do not exist, before anything costly begins.

    Imports neither TensorFlow nor scikit-learn. Raises `UsageError` that names the key and what there is.
    """
    for choice in recipe.models:
        space_of(choice)
    for name in recipe.families:
        family(name)
    for choice in recipe.models:
        shape = family(choice.features).spec.row_shape
        if choice.augment is not None and choice.augment.time_masks and len(shape) < 2:
            raise UsageError(
                f"recipe: models {choice.family}: augment.time_masks: the rows of {choice.features} are vectors and "
                "have no time; leave it out, or choose features whose rows are matrices"
            )
        _check_columns(choice, shape)
    plan_study(recipe)


def _check_columns(choice: ModelChoice, row_shape: Sequence[int]) -> None:
    """Raise `UsageError` for columns that the rows of a model's features do not have."""
    for parameter in space_of(choice):
        for value in (parameter.all_values() or ()) if parameter.name == "columns" else ():
            try:
                check_columns(str(value), row_shape)
            except ValueError as error:
                raise UsageError(f"recipe: models {choice.family}: columns of {choice.features}: {error}") from error


def _allocation(weights: Sequence[int], most: Mapping[int, int], trials: int) -> list[int]:
    """Return the model of each trial: every model once, then the one furthest behind its share that has trials left."""
    counts = [0] * len(weights)
    allocation: list[int] = []
    while len(allocation) < trials:
        open_models = [model for model in range(len(weights)) if counts[model] < most[model]]
        if not open_models:
            break
        furthest_behind = min(open_models, key=lambda model: counts[model] / weights[model])
        counts[furthest_behind] += 1
        allocation.append(furthest_behind)
    return allocation


def _oracle_of(choice: ModelChoice, recipe: Recipe) -> tuple[Strategy, str]:
    """Return the oracle of a model, and a note on it for people."""
    space, strategy = space_of(choice), recipe.search.strategy
    count = configurations(space)
    if count == 1:
        return "random", "every hyper-parameter is fixed: one configuration, nothing to search"
    if strategy != "hyperband":
        return strategy, ""
    epochs = next((parameter for parameter in space if parameter.name == EPOCHS), None)
    if epochs is None:
        return "random", "it has no epochs to ration: searched at random"
    if epochs.kind != "fixed":
        raise UsageError(
            f"recipe: models {choice.family}: space.{EPOCHS}: Hyperband rations the epochs itself; set their most by "
            f"fixed.{EPOCHS}, or take another search.strategy"
        )
    needed = sum(bracket[0][0] for bracket in sweep_sizes(int(epochs.default), recipe.search.factor))
    if count is not None and count < needed:
        return "random", f"Hyperband begins with {needed} configurations and there are {count}: searched at random"
    return "hyperband", ""


def _sweep_trials(recipe: Recipe, choice: ModelChoice) -> int:
    """Return how many trials one sweep of Hyperband has."""
    sizes = sweep_sizes(_most_epochs(choice), recipe.search.factor)
    return sum(size for bracket in sizes for size, _ in bracket)


def _most_epochs(choice: ModelChoice) -> int:
    """Return the epochs of a model that were set by hand or by its family; 1 for a model without."""
    return next((int(parameter.default) for parameter in space_of(choice) if parameter.name == EPOCHS), 1)


def _search(recipe: Recipe, study: StudyPlan, position: int, *, seed: int) -> Search:
    """Return the search of the oracle of a model."""
    choice, model = recipe.models[position], study.models[position]
    return Search(
        oracle=model.oracle,
        space=space_of(choice),
        trials=model.trials,
        seed=seed + position,
        epochs=_most_epochs(choice),
        factor=recipe.search.factor,
    )


def _spec(
    recipe: Recipe, choice: ModelChoice, state: OracleState, index: int, *, space: Sequence[str], run_id: str, seed: int
) -> TrialSpec:
    """Return a trial that an oracle proposed."""
    values, origin = state.values(index), state.notes(index)
    if EPOCHS in origin:
        values[EPOCHS] = origin.pop(EPOCHS)
    ancestor = index
    while (parent := state.notes(ancestor).get("trial_id")) is not None:
        ancestor = state.trials[str(parent)].index
    if (parent := origin.pop("trial_id", None)) is not None:
        origin["continues"] = state.trials[str(parent)].index
    origin.pop("initial_epoch", None)
    return TrialSpec(
        run_id=run_id,
        index=index,
        family=choice.family,
        features=choice.features,
        hyperparameters={name: values[name] for name in space if name in values},
        seed=seed + ancestor,
        augment=choice.augment,
        balance=recipe.training.balance,
        priors=recipe.training.priors,
        origin=origin,
    )
