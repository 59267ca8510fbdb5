"""Recipes that make a library of their own, and recipes that name another to follow them."""

from collections.abc import Iterator

from pipeline.errors import UsageError
from pipeline.library.imported import LABELS, PREFIX
from pipeline.plans.recipe import load_recipe
from pipeline.synthetic.folder import SyntheticLibrary
from pipeline.synthetic.library import make_library
from pipeline.text import printable
from storage.home import Home
from workers.processes.cluster import local_cluster
from workers.processes.kernel_notice import kernel_notice
from workers.runs.execute import execute, follow, require_broker
from workers.runs.import_npz import import_npz
from workers.runs.progress import View
from workers.runs.request import RunRequest, ScannedRun
from workers.runs.scan import scan_libraries

FOLDER = "libraries"
"""The folder in a home that holds such libraries, each in a folder named by its kind."""


def with_library(home: Home, request: RunRequest, view: View) -> RunRequest:
    """Return the request with the library that its recipe makes for itself, written and imported where needed.

    Raises `UsageError` when the recipe makes none, or it cannot be made.
    """
    plan = request.recipe.library
    if plan is None:
        raise UsageError(
            f"recipe {printable(request.recipe.name)} makes no library of its own; name a LIBRARY, a folder of sounds"
        )
    made = make_library(plan, home.path / FOLDER / str(type(plan).__struct_config__.tag))
    view.line(f"library {made.path}: {'made' if made.written else 'there already'}")
    if made.family:
        return _imported(home, request, made, view)
    return request.replace(libraries=(str(made.path),), labels=made.labels)


def execute_recipes(home: Home, request: RunRequest, view: View) -> Iterator[ScannedRun]:
    """Carry out a request, then those of the recipes that follow, with the same workers; yield each run as it ends.

    Raises as `execute` does.
    """
    if not request.recipe.then:
        yield execute(home, request, view)
        return
    require_broker(request)
    scanned = scan_libraries(home, request, view)
    with (
        kernel_notice(home.path, view.line),
        local_cluster(home.path, request.broker, request.workers) as cluster,
    ):
        while True:
            follow(home, scanned, view, broker=cluster.broker, workers=None, cluster=cluster)
            yield scanned
            if not request.recipe.then:
                return
            recipe = load_recipe(request.recipe.then)
            view.line(f"recipe {recipe.name} follows")
            request = request.replace(recipe=recipe, labels=recipe.labels or request.labels)
            if recipe.library is not None:
                request = with_library(home, request, view)
            scanned = scan_libraries(home, request, view)


def _imported(home: Home, request: RunRequest, made: SyntheticLibrary, view: View) -> RunRequest:
    """Return the request to learn from an NPZ file, imported now unless an earlier run did."""
    library = PREFIX + str(made.path)
    plans = (home.ledger.plan(run_id) for run_id in home.ledger.run_ids())
    if made.written or not any(plan.libraries == (library,) for plan in plans):
        summary = import_npz(home, made.path, made.family, request.recipe, request.command)
        view.line(f"{summary['rows']:,} rows imported, {summary['new']:,} of them new")
    return request.replace(libraries=(library,), labels=LABELS, extract=False)
