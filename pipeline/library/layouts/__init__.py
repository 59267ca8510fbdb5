"""The layouts of data sets that people have: labels, groups, folds and official splits without a table of one's own."""

from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.library.layouts import (
    ballroom,
    esc50,
    fma,
    gtzan,
    magnatagatune,
    mtg_jamendo,
    speech_commands,
    urbansound8k,
)
from pipeline.library.layouts.layout import PREFIX, TEST, TRAIN, VALIDATION, Layout
from pipeline.library.tables.table import ROLES, Role
from pipeline.plans.recipe import Recipe
from pipeline.text import printable

LAYOUTS: dict[str, Layout] = {
    module.LAYOUT.name: module.LAYOUT
    for module in (gtzan, urbansound8k, esc50, fma, mtg_jamendo, magnatagatune, speech_commands, ballroom)
}


def layout_of(spec: str | None) -> Layout | None:
    """Return the layout of a source like `layout:esc50`; None for any other. Raises `UsageError` for an unknown one."""
    if spec is None or not spec.startswith(PREFIX):
        return None
    name = spec.removeprefix(PREFIX)
    if name not in LAYOUTS:
        raise UsageError(f"layout {printable(name)}: not known; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def layout_specs(name: str, libraries: Sequence[str]) -> dict[Role, str]:
    """Return the sources that a layout has in some libraries, by role. Raises `UsageError` for what is not there."""
    spec = f"{PREFIX}{name}"
    layout = layout_of(spec)
    if layout is None:  # pragma: no cover -- the prefix is there
        return {}
    roles = layout.read(libraries).roles
    return {role: spec for role in ROLES if role in roles}


def with_official_split(recipe: Recipe, folds: str | None) -> Recipe:
    """Return a recipe that learns by the official split of the layout that the folds come from.

    Only where the recipe leaves the split open; a layout whose folds are each tested once needs nothing more.
    """
    layout, split = layout_of(folds), recipe.split
    is_open = split.strategy == "auto" and not (split.train_folds or split.test_folds or split.validation_folds)
    if layout is None or not is_open or not layout.has_sides:
        return recipe
    return recipe.replace(split=split.replace(train_folds=(TRAIN,), validation_folds=(VALIDATION,), test_folds=(TEST,)))


def suggested_layout(libraries: Sequence[str]) -> Layout | None:
    """Return the layout that one of some libraries looks like; None for none."""
    return next((layout for layout in LAYOUTS.values() for library in libraries if layout.looks_like(library)), None)
