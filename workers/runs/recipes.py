"""Recipes that make their own library, and recipes that are carried out one after the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.library import imported
from pipeline.library.imported import PREFIX
from pipeline.plans.recipe import load_recipe
from pipeline.synthetic.folder import MadeLibrary
from pipeline.synthetic.library import make_library
from pipeline.text import printable
from storage.home import Home
from workers.broker import health
from workers.processes.cluster import local_cluster
from workers.runs import execute, import_npz, request, scan

if TYPE_CHECKING:
    from workers.runs.progress import View

FOLDER = "libraries"
"""Where in the home such libraries lie, each in a folder named by its kind."""


def with_library(home: Path, wanted: "request.RunRequest", view: "View") -> "request.RunRequest":
    """Return the orders with the library that their recipe makes for itself, written and imported where needed.

    Raises `UsageError` when the recipe makes none, or it cannot be made.
    """
    plan = wanted.recipe.library
    if plan is None:
        raise UsageError(
            f"recipe {printable(wanted.recipe.name)} makes no library of its own; name a LIBRARY, a folder of sounds"
        )
    made = make_library(plan, home / FOLDER / str(type(plan).__struct_config__.tag))
    view.line(f"library {made.path}: {'made' if made.written else 'there already'}")
    if made.family:
        return _imported(home, wanted, made, view)
    return wanted.replace(libraries=(str(made.path),), labels=made.labels)


def carry_out(home: Path, wanted: "request.RunRequest", view: "View") -> "Iterator[request.ScannedRun]":
    """Carry out a run, and after it those of the recipes that follow, with the same workers; yield each as it ends.

    Raises as `running.execute` does.
    """
    if not wanted.recipe.then:
        yield execute.execute(home, wanted, view)
        return
    if wanted.broker is not None:
        health.require_for_run(wanted.broker)
    finished = scan.scan_libraries(Home(home), wanted, view)
    with local_cluster(home, wanted.broker, wanted.workers) as opened:
        while True:
            execute.follow(home, finished, view, broker=opened.broker, workers=None, within=opened)
            yield finished
            if not wanted.recipe.then:
                return
            recipe = load_recipe(wanted.recipe.then)
            view.line(f"recipe {recipe.name} follows")
            wanted = wanted.replace(recipe=recipe, labels=recipe.labels or wanted.labels)
            if recipe.library is not None:
                wanted = with_library(home, wanted, view)
            finished = scan.scan_libraries(Home(home), wanted, view)


def _imported(home: Path, wanted: "request.RunRequest", made: MadeLibrary, view: "View") -> "request.RunRequest":
    """Return the orders to learn from an NPZ file, imported now unless an earlier run did."""
    doors = Home(home)
    library = PREFIX + str(made.path)
    plans = (doors.ledger.plan(run_id) for run_id in doors.ledger.run_ids())
    if made.written or not any(plan.libraries == (library,) for plan in plans):
        told = import_npz.import_npz(doors, made.path, made.family, wanted.recipe, wanted.command)
        view.line(f"{told['rows']:,} rows imported, {told['new']:,} of them new")
    return wanted.replace(libraries=(library,), labels=imported.LABELS, extract=False)
