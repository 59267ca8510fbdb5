"""Modules that moved, and where they are now: for the error of a plug-in that imports one by its old path.

`moved.txt` has a line for each, its old path and its new one; a name that left its module stands behind a colon.
"""

import re
import traceback
from functools import cache
from importlib import resources


def describe_move(error: BaseException) -> str:
    """Return what a failed import names and its path now, in words; empty for any other error."""
    if not isinstance(error, ImportError) or error.name is None:
        return ""
    places, module = _places(), error.name
    if (match := re.match(r"cannot import name '(\w+)'", error.msg)) is None:
        module_name = _imported_module(error, module)
        now = places.get(module_name) or places.get(module)
        left = [f"{name} in {place}" for name, place in _names_elsewhere(module_name)]
        return f"imports {module_name}, which is now {', '.join([now, *left])}" if now else ""
    name = match[1]
    home = places.get(f"{module}:{name}") or places.get(module)
    now = f"{home}.{name}" if home else places.get(f"{module}.{name}")
    return f"imports {module}.{name}, which is now {now}" if now else ""


@cache
def _places() -> dict[str, str]:
    """Return the new path of each old one."""
    lines = resources.files("pipeline.features").joinpath("moved.txt").read_text("ascii").splitlines()
    return dict(line.split() for line in lines)


def _names_elsewhere(module: str) -> list[tuple[str, str]]:
    """Return the names that are not where their module went, each with where it is."""
    return [(old.removeprefix(f"{module}:"), new) for old, new in _places().items() if old.startswith(f"{module}:")]


def _imported_module(error: ImportError, missing: str) -> str:
    """Return the module that an import statement names; Python's error has only its first missing package."""
    line = traceback.extract_tb(error.__traceback__)[-1].line or ""
    match = re.search(rf"\b{re.escape(missing)}(\.\w+)*", line)
    return match[0] if match else missing
