"""A recipe: which features, which models, how to split, how long to search. Read from TOML, checked on load."""

from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.augmentation.plans import AugmentPlan, RowAugmentation
from pipeline.errors import UsageError
from pipeline.gate import GatePlan
from pipeline.tracks import printable
from pipeline.wire import Value

Scalar = bool | int | float | str


class SplitPlan(Value, frozen=True, kw_only=True):
    """How tracks are parted into training, validation and test.

    `auto` is `folds` where folds are known, else `grouped`: whole groups, stratified by label; a track without a
    group is a group of its own.
    """

    strategy: Literal["auto", "folds", "grouped"] = "auto"
    test: float = 0.25
    """Share of the tracks held out for the test; unused with folds."""
    validation: float = 0.2
    """Share of the rest that selects between trials; with folds, another fold does."""


class SearchPlan(Value, frozen=True, kw_only=True):
    """How many trials, shared out over the models in turn."""

    trials: int = 8
    refit: bool = True
    """Fit the chosen configuration again on training and validation tracks before the test."""
    ensemble: int = 1
    """How many of the best trials vote (mean of their probabilities)."""


class ModelChoice(Value, frozen=True, kw_only=True):
    """One model family of the study, on the rows of one feature family."""

    family: str
    features: str
    fixed: dict[str, Scalar] = {}
    """Hyper-parameters set by hand; the search leaves them alone."""
    weight: int = 1
    """Its share of the trials relative to the other models'; each gets at least one."""
    augment: RowAugmentation | None = None
    """Altered copies of the training rows, made for each fit."""


class Recipe(Value, frozen=True, kw_only=True):
    """A whole configuration; `chordal run --recipe NAME|FILE`."""

    name: str
    title: str
    models: tuple[ModelChoice, ...]
    features: tuple[str, ...] = ()
    """Families to extract beside those the models need."""
    split: SplitPlan = SplitPlan()
    search: SearchPlan = SearchPlan()
    augment: AugmentPlan | None = None
    """Altered copies of every labelled track, extracted beside it and used for training only."""
    gate: GatePlan = GatePlan()
    """What the model has to show to become the champion."""

    @property
    def families(self) -> tuple[str, ...]:
        """Every feature family the recipe needs, without repeats, in a steady order."""
        return tuple(dict.fromkeys([*self.features, *(model.features for model in self.models)]))


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with chordal."""
    folder = resources.files("pipeline") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_file: str) -> Recipe:
    """Return the recipe of a name that comes with chordal, or of a TOML file.

    Raises `UsageError` naming the file and the key when it is missing, mistyped or unknown.
    """
    if name_or_file in recipe_names():
        source = resources.files("pipeline") / "recipes" / f"{name_or_file}.toml"
        return parse_recipe(source.read_text("utf-8"), name_or_file)
    path = Path(name_or_file)
    shown = printable(name_or_file)
    if not path.is_file():
        raise UsageError(
            f"recipe {shown}: no such recipe or file; give a TOML file or one of: {', '.join(recipe_names())}"
        )
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {shown}: cannot be read ({error}); give a TOML file in UTF-8") from error
    return parse_recipe(text, shown)


def parse_recipe(text: str, source: str) -> Recipe:
    """Return the recipe that a TOML text describes; `source` names it in errors."""
    try:
        recipe = msgspec.toml.decode(text, type=Recipe)
    except msgspec.ValidationError as error:
        raise UsageError(f"recipe {source}: {error}; the README's recipe page lists the keys") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"recipe {source}: not valid TOML ({error})") from error
    _check(recipe, source)
    return recipe


def _check(recipe: Recipe, source: str) -> None:
    """Refuse what the types allow but no run could do."""
    if not recipe.models:
        raise UsageError(f"recipe {source}: models is empty; add at least one [[models]] with family and features")
    for model in recipe.models:
        if model.weight < 1:
            raise UsageError(f"recipe {source}: models.weight is {model.weight}; give a whole number from 1 up")
        if model.augment is not None:
            model.augment.check(f"recipe {source}: models.augment")
    if recipe.augment is not None:
        recipe.augment.check(f"recipe {source}: augment")
    recipe.gate.check(f"recipe {source}: gate")
    if recipe.search.trials < len(recipe.models):
        raise UsageError(
            f"recipe {source}: search.trials is {recipe.search.trials} for {len(recipe.models)} models; "
            "give each model at least one trial"
        )
    for key, share in (("test", recipe.split.test), ("validation", recipe.split.validation)):
        if not 0 < share < 1:
            raise UsageError(f"recipe {source}: split.{key} is {share}; give a share between 0 and 1")
