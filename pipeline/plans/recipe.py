"""A recipe: which features, which models, how to split, how long to search. Read from TOML, checked on load."""

import re
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from pipeline.errors import UsageError
from pipeline.plans.augmentation import AugmentPlan, RowAugmentation
from pipeline.plans.gate import GatePlan
from pipeline.plans.library import LibraryPlan, check_library
from pipeline.plans.search import SearchPlan
from pipeline.plans.split import SplitPlan
from pipeline.plans.vocabulary import Vocabulary
from pipeline.text import did_you_mean, printable
from pipeline.wire import Value

_MONO, _DUAL_MONO = "ebu_r128", "ebu_r128_dual_mono"

Scalar = bool | int | float | str
Balance = Literal["weights", "sampling", "none"]
Priors = Literal["true", "balanced"]
OutputName = Literal[
    "label_shares",
    "columns",
    "files",
    "waveforms",
    "spectra",
    "ranges",
    "recordings",
    "sides",
    "softmax",
    "retrained",
    "untrained",
    "layers",
    "weights",
    "layouts",
    "regions",
    "examples",
    "new_sounds",
]
"""The optional sections of a report; see `pipeline.report.outputs`."""


class TrainingPlan(Value, frozen=True, kw_only=True):
    """How models are fitted, whatever their family."""

    balance: Balance = "weights"
    """Against classes of different size: `weights` makes each class count the same in the loss, `sampling` repeats rows
    of the smaller ones, `none` does nothing."""
    priors: Priors = "true"
    """Which shares of the classes the probabilities are for, where these were balanced: the `true` ones of the training
    tracks, or `balanced` ones, by which small classes are named more often than is right on average."""
    lost_classes: Literal["refuse", "leave_out"] = "refuse"
    """What to do when none of a class's labelled tracks can be learned from: refuse, or learn the others."""


class AnswerPlan(Value, frozen=True, kw_only=True):
    """When the classifier answers, and when it says "unsure"; both are chosen on validation tracks."""

    calibrate: bool = True
    """Whether the probabilities are scaled by a temperature."""
    accuracy: float = 0.9
    """What the answers should reach: the lowest threshold is taken at which they are sure to, by validation tracks."""
    coverage: float = 0.0
    """Least share of the validation tracks that get an answer, whatever that does to their accuracy; 1 answers
    always."""


class Span(Value, frozen=True, kw_only=True):
    """A range of a hyper-parameter, both ends included."""

    min: float
    max: float
    step: float | None = None
    scale: Literal["linear", "log"] = "linear"


class ModelChoice(Value, frozen=True, kw_only=True):
    """One model family of the study, on the rows of one feature family."""

    family: str
    features: str
    fixed: dict[str, Scalar] = {}
    """Hyper-parameters set by hand; the search does not change them."""
    space: dict[str, tuple[Scalar, ...] | Span] = {}
    """Hyper-parameters to search over other values than the family's own: a list of values, or a range."""
    weight: int = 1
    """Its share of the trials relative to the other models'; each gets at least one."""
    augment: RowAugmentation | None = None
    """Altered copies of the training rows, made for each fit."""


class QuickPlan(Value, frozen=True, kw_only=True):
    """What `--quick` changes: a first look at the same thing."""

    trials: int | None = None
    epochs: int | None = None
    """Fixed for every model that has epochs."""


class Recipe(Value, frozen=True, kw_only=True):
    """A whole configuration; `chordal run --recipe NAME|FILE`."""

    name: str
    title: str
    models: tuple[ModelChoice, ...]
    features: tuple[str, ...] = ()
    """Families to extract beside those the models need."""
    split: SplitPlan = SplitPlan()
    search: SearchPlan = SearchPlan()
    training: TrainingPlan = TrainingPlan()
    answer: AnswerPlan = AnswerPlan()
    augment: AugmentPlan | None = None
    """Altered copies of every labelled track, extracted beside it and used for training only."""
    gate: GatePlan = GatePlan()
    """What the model has to show to become the champion."""
    labels: str = ""
    """How tracks are labelled unless the command says otherwise, as for `--labels`."""
    library: LibraryPlan | None = None
    """The library that is made where the command names none."""
    outputs: tuple[OutputName, ...] = ()
    """Optional sections of the report, in this order."""
    then: str = ""
    """The recipe that comes with chordal and is carried out after this one, by the same command."""
    quick: QuickPlan | None = None
    vocabulary: Vocabulary | None = None
    """What labels are folded to unless the command says otherwise, as in a file for `--vocabulary`."""

    def quick_form(self) -> "Recipe":
        """Return the quick form of the recipe. Raises `UsageError` when it has none."""
        if self.quick is None:
            raise UsageError(
                f"recipe {printable(self.name)}: has no quick form; leave --quick out, or give it a [quick]"
            )
        epochs = self.quick.epochs
        return self.replace(
            search=self.search.replace(trials=min(self.quick.trials or self.search.trials, self.search.trials)),
            models=tuple(
                model.replace(fixed={**model.fixed, "epochs": epochs}) if epochs and "epochs" in model.fixed else model
                for model in self.models
            ),
        )

    def with_dual_mono(self) -> "Recipe":
        """Return the recipe with loudness that takes a mono file as from two loudspeakers.

        It takes the place of the other loudness of whole tracks; where there is none, it is measured besides.
        """
        other = {_MONO: _DUAL_MONO}
        recipe = self.replace(
            features=tuple(other.get(name, name) for name in self.features),
            models=tuple(model.replace(features=other.get(model.features, model.features)) for model in self.models),
        )
        if _DUAL_MONO in recipe.families:
            return recipe
        return recipe.replace(features=(*recipe.features, _DUAL_MONO))

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
    label = printable(name_or_file)
    if not path.is_file():
        raise UsageError(
            f"recipe {label}: no such recipe or file{did_you_mean(name_or_file, recipe_names())}; "
            f"give a TOML file or one of: {', '.join(recipe_names())}"
        )
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {label}: cannot be read ({error}); give a TOML file in UTF-8") from error
    return parse_recipe(text, label)


def parse_recipe(text: str, source: str) -> Recipe:
    """Return the recipe that a TOML text describes; `source` names it in errors."""
    try:
        recipe = msgspec.toml.decode(text, type=Recipe)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"recipe {source}: {error}{_nearest_key(str(error))}; ops/docs/recipes.md lists the keys"
        ) from error
    except msgspec.DecodeError as error:
        raise UsageError(f"recipe {source}: not valid TOML ({error})") from error
    _check(recipe, source)
    return recipe


def _nearest_key(error: str) -> str:
    """Return which key of a recipe was perhaps meant by one that msgspec does not know."""
    unknown = re.search("unknown field `(.*?)`", error)
    return did_you_mean(unknown[1], _keys(Recipe)) if unknown else ""


def _keys(kind: Any) -> set[str]:
    """Return the keys of a type of a recipe, and of the types in it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        kinds = get_type_hints(kind).values()
        return set(kind.__struct_fields__).union(*map(_keys, kinds))
    return set().union(*map(_keys, get_args(kind)))


def _check(recipe: Recipe, source: str) -> None:
    """Raise `UsageError` for what the types allow but no run could do."""
    if not recipe.models:
        raise UsageError(f"recipe {source}: models is empty; add at least one [[models]] with family and features")
    for model in recipe.models:
        if model.weight < 1:
            raise UsageError(f"recipe {source}: models.weight is {model.weight}; give a whole number from 1 up")
        if model.augment is not None:
            model.augment.check(f"recipe {source}: models.augment")
    if recipe.augment is not None:
        recipe.augment.check(f"recipe {source}: augment")
    recipe.search.check(f"recipe {source}: search")
    recipe.gate.check(f"recipe {source}: gate")
    if recipe.library is not None:
        check_library(recipe.library, f"recipe {source}: library")
    if recipe.search.trials < len(recipe.models):
        raise UsageError(
            f"recipe {source}: search.trials is {recipe.search.trials} for {len(recipe.models)} models; "
            "give each model at least one trial"
        )
    _check_quick_and_then(recipe, source)
    recipe.split.check(f"recipe {source}: split")
    _check_strategy(recipe, source)
    for key, share in (("accuracy", recipe.answer.accuracy), ("coverage", recipe.answer.coverage)):
        if not 0 <= share <= 1:
            raise UsageError(f"recipe {source}: answer.{key} is {share}; give a share from 0 to 1")


def _check_strategy(recipe: Recipe, source: str) -> None:
    """Raise `UsageError` for what some split strategies exclude."""
    plan = recipe.split
    if plan.strategy == "nested" and not recipe.search.refit:
        raise UsageError(
            f"recipe {source}: search.refit is false; with nested cross-validation what is chosen must be fitted again "
            "on all tracks that its fold does not test: leave refit out"
        )
    if plan.strategy == "rows":
        if len({model.features for model in recipe.models}) > 1:
            raise UsageError(
                f'recipe {source}: split.strategy "rows" deals out the rows of one feature family, and the models read '
                "several; give all models the same features"
            )
        if recipe.augment is not None:
            raise UsageError(
                f'recipe {source}: split.strategy "rows" cannot say on which side an altered copy of a whole track '
                "belongs; leave [augment] out, or part whole tracks"
            )


def _check_quick_and_then(recipe: Recipe, source: str) -> None:
    """Raise `UsageError` for an impossible quick form or next recipe."""
    quick = recipe.quick
    if quick is not None and any(number is not None and number < 1 for number in (quick.trials, quick.epochs)):
        raise UsageError(f"recipe {source}: quick: trials and epochs are whole numbers from 1 up")
    if recipe.then and recipe.then not in recipe_names():
        raise UsageError(f"recipe {source}: then: {printable(recipe.then)} is none of: {', '.join(recipe_names())}")
