"""Which configurations to try: spaces declared by model families, drawn by KerasTuner's random oracle."""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.learning import TrialSpec
from pipeline.models import model_family
from pipeline.models.runtime import prepare
from pipeline.recipe import ModelChoice, Recipe, Scalar
from pipeline.tracks import printable
from pipeline.wire import Value


class Dimension(Value, frozen=True, kw_only=True):
    """One hyper-parameter of a search space, in words for people."""

    name: str
    values: str
    default: Scalar
    when: str = ""
    """The condition under which it counts, empty when it always does."""


def propose_trials(recipe: Recipe, *, run_id: str, seed: int) -> tuple[TrialSpec, ...]:
    """Return the trials of a study, shared out over the recipe's models by weight.

    The first trial of each model is its family's default configuration; the others are drawn at random, without
    repeats; where a space has fewer configurations than asked for, there are fewer trials. Equal seeds give equal
    trials. Raises `UsageError` for an unknown model family, or a fixed hyper-parameter that is unknown or mistyped.
    """
    turns = _turns([choice.weight for choice in recipe.models], recipe.search.trials)
    drawn = [
        iter(_draw(_space(choice), turns.count(number), seed=seed + number))
        for number, choice in enumerate(recipe.models)
    ]
    specs: list[TrialSpec] = []
    for turn in turns:
        configuration = next(drawn[turn], None)
        if configuration is not None:
            choice = recipe.models[turn]
            specs.append(
                TrialSpec(
                    run_id=run_id,
                    index=len(specs),
                    family=choice.family,
                    features=choice.features,
                    hyperparameters=configuration,
                    seed=seed + len(specs),
                    augment=choice.augment,
                    balance=recipe.training.balance,
                )
            )
    return tuple(specs)


def check_models(recipe: Recipe) -> None:
    """Refuse models, features and fixed hyper-parameters that do not exist, before anything costly begins.

    Imports neither TensorFlow nor scikit-learn. Raises `UsageError` that names the key and what there is.
    """
    for choice in recipe.models:
        _check(choice)
    for name in recipe.families:
        family(name)
    for choice in recipe.models:
        shape = family(choice.features).spec.row_shape
        if choice.augment is not None and choice.augment.time_masks and len(shape) < 2:
            raise UsageError(
                f"recipe: models {choice.family}: augment.time_masks: the rows of {choice.features} are vectors and "
                "have no time; leave it out, or choose features whose rows are matrices"
            )


def search_space_summary(recipe: Recipe) -> dict[str, tuple[Dimension, ...]]:
    """Return the search space of each model of a recipe, by `family on features`."""
    return {
        f"{choice.family} on {choice.features}": tuple(_describe(parameter) for parameter in _space(choice).space)
        for choice in recipe.models
    }


def _turns(weights: Sequence[int], trials: int) -> list[int]:
    """Return whose turn each trial is: every model once, then whoever lags most behind its share."""
    counts = [0] * len(weights)
    turns = []
    for _ in range(trials):
        turn = min(range(len(weights)), key=lambda number: counts[number] / weights[number])
        counts[turn] += 1
        turns.append(turn)
    return turns


def _space(choice: ModelChoice) -> Any:
    """Return the `HyperParameters` of one model, with the recipe's fixed values in place."""
    _check(choice)
    keras_tuner = _keras_tuner()
    declared = keras_tuner.HyperParameters()
    model_family(choice.family).space(declared)
    space = keras_tuner.HyperParameters()
    for parameter in declared.space:
        if parameter.name in choice.fixed:
            fixed = keras_tuner.engine.hyperparameters.Fixed(
                parameter.name, choice.fixed[parameter.name], conditions=parameter.conditions
            )
            space.merge([fixed])
        else:
            space.merge([parameter])
    return space


def _check(choice: ModelChoice) -> None:
    """Refuse an unknown model family, and a fixed value it does not know or of another kind than its default."""
    names = _Names()
    model_family(choice.family).space(names)
    # Exact types below: a bool is an int to `isinstance`.
    kinds: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}
    for name, value in choice.fixed.items():
        where = f"recipe: models {choice.family}: fixed.{printable(name)}"
        if name not in names.defaults:
            raise UsageError(f"{where}: unknown; {choice.family} has {', '.join(names.defaults)}")
        default = names.defaults[name]
        if type(value) not in kinds[type(default)]:
            raise UsageError(f"{where}: {value!r} is not of the kind of its default, {default!r}; correct the recipe")
        if isinstance(value, int | float) and value < 0:
            raise UsageError(f"{where}: {value!r} is negative; correct the recipe")


class _Names:
    """Stands in for `HyperParameters` where only names and defaults are wanted, without importing TensorFlow."""

    def __init__(self) -> None:
        self.defaults: dict[str, Scalar] = {}

    def Int(self, name: str, min_value: int, max_value: int, *, step: int = 1, default: int | None = None) -> None:  # noqa: N802 - KerasTuner's names
        self.defaults[name] = min_value if default is None else default

    def Float(  # noqa: N802
        self, name: str, min_value: float, max_value: float, *, sampling: str = "linear", default: float | None = None
    ) -> None:
        self.defaults[name] = min_value if default is None else default

    def Choice(self, name: str, values: Sequence[Scalar], *, default: Scalar | None = None) -> None:  # noqa: N802
        self.defaults[name] = values[0] if default is None else default

    def Fixed(self, name: str, value: Scalar) -> None:  # noqa: N802
        self.defaults[name] = value

    def conditional_scope(self, parent: str, values: Sequence[Scalar]) -> "nullcontext[None]":
        return nullcontext()


def _draw(space: Any, count: int, *, seed: int) -> list[dict[str, Scalar]]:
    """Return up to `count` different configurations: the defaults, then random ones."""
    default = _active(space, space.values)
    if count == 1:
        return [default]
    keras_tuner = _keras_tuner()
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("validation_accuracy", "max"),
        max_trials=count,
        # The oracle takes a seed of 0 for none.
        seed=seed % 2**32 + 1,
        hyperparameters=space.copy(),
    )
    oracle.verbose = 0
    configurations = [default]
    with tempfile.TemporaryDirectory(prefix="chordal-oracle-") as folder, warnings.catch_warnings():
        # KerasTuner 1.4 asks `threading` for names that Python has deprecated.
        warnings.filterwarnings("ignore", r"(currentThread|getName)\(\) is deprecated", DeprecationWarning)
        # Private, but the only way without a Tuner, which would build models.
        oracle._set_project_dir(folder, "draw")
        for number in range(count):
            trial = oracle.create_trial(f"draw-{number}")
            if trial.status != "RUNNING":
                break
            drawn = _active(space, trial.hyperparameters.values)
            if drawn != default:
                configurations.append(drawn)
    return configurations[:count]


def _active(space: Any, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the values that count under each other, in the order of declaration."""
    return {parameter.name: values[parameter.name] for parameter in space.space if parameter.name in values}


def _describe(parameter: Any) -> Dimension:
    """Return a hyper-parameter in words."""
    config = parameter.get_config()
    kind = type(parameter).__name__
    if kind == "Fixed":
        values = f"{config['value']} (fixed)"
    elif kind == "Choice":
        values = ", ".join(str(value) for value in config["values"])
    elif kind == "Boolean":
        values = "true, false"
    else:
        step = f", step {config['step']}" if config.get("step") else ""
        scale = ", logarithmic" if config.get("sampling") == "log" else ""
        values = f"{config['min_value']} to {config['max_value']}{step}{scale}"
    conditions = [f"{c.name} in {', '.join(str(v) for v in c.values)}" for c in parameter.conditions]
    return Dimension(name=parameter.name, values=values, default=parameter.default, when=" and ".join(conditions))


def _keras_tuner() -> Any:
    """Return the module, TensorFlow set up first: importing it imports TensorFlow."""
    prepare()
    import keras_tuner

    return keras_tuner
