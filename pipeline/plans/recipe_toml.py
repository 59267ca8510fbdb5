"""A recipe as the TOML file that `--recipe FILE` reads back."""

import json
from typing import Any

import msgspec

from pipeline.plans.recipe import Recipe


def recipe_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML; `parse_recipe` makes an equal recipe of it.

    Written here because no library of the lock writes TOML, and a recipe needs only strings, numbers, lists of strings,
    tables and one list of tables.
    """
    wire: dict[str, Any] = msgspec.to_builtins(recipe)
    lines = [f"{key} = {_value(value)}" for key, value in wire.items() if not _is_table(value) and value is not None]
    for key, value in wire.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *_entries(value)]
    for model in wire["models"]:
        lines += ["", "[[models]]", *_entries(model)]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    """Tell what TOML writes under a heading of its own, after the plain keys."""
    return isinstance(value, dict) or (isinstance(value, (list, tuple)) and any(isinstance(v, dict) for v in value))


def _entries(table: dict[str, Any]) -> list[str]:
    # TOML has no null: what is not set is left out.
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items() if value is not None]


def _value(value: Any) -> str:
    """Return a value in TOML, whose basic strings are those of JSON but for one control character."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(_entries(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return repr(value)


def _key(key: str) -> str:
    """Return a key, quoted unless TOML allows it bare."""
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _value(key)
