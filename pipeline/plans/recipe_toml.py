"""A recipe as the TOML file that `--recipe FILE` reads back."""

from typing import Any

import msgspec

from pipeline.plans.recipe import Recipe


def recipe_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML, its models last; `parse_recipe` makes an equal recipe of it."""
    import tomlkit  # its 15 ms are for commands that write a recipe only

    wire = _set_values(msgspec.to_builtins(recipe))
    models = wire.pop("models")
    return tomlkit.dumps({**wire, "models": models})


def _set_values(value: Any) -> Any:
    """Return a value without its empty entries: TOML has no null, and an empty table is the default of each."""
    if isinstance(value, dict):
        return {key: _set_values(each) for key, each in value.items() if each is not None and each != {}}
    return [_set_values(each) for each in value] if isinstance(value, (list, tuple)) else value
