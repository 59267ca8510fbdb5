"""Runs whose command died: find the newest that should go on, and finish it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ChordalError
from storage.home import only_one
from workers.app.context import Context
from workers.broker.health import BROKER_ERRORS
from workers.runs import execute
from workers.runs.active import active_runs
from workers.runs.progress import View
from workers.runs.state import ENDS, RunState
from workers.schedule.nights import LOCK_FOLDER

RUNS = 20
"""How many of the newest runs are looked at."""


FAILURES = (ChordalError, *BROKER_ERRORS)


@contextmanager
def conductor(home: Path, doing: str) -> Iterator[None]:
    """Be the one conductor that is at a run. Raises `UsageError` when another is, or a run has the home for itself."""
    folder = home / LOCK_FOLDER
    folder.mkdir(exist_ok=True)
    with only_one(folder, doing=doing), only_one(home, doing=doing, shared=True):
        yield


def reconcile(context: Context) -> str:
    """Take up a run that nobody waits for, bring it to its end, and say what was done."""
    run_id = orphan(context)
    if run_id is None:
        return "no run is left behind"
    try:
        with conductor(context.path, f"taking up run {run_id}"), View() as view:
            if orphan(context) != run_id:
                return f"run {run_id} is no longer left behind"
            execute.adopt(context.path, run_id, view, broker=context.settings.broker)
    except FAILURES as error:
        return f"run {run_id} was taken up and failed: {error}"
    return f"run {run_id} was taken up and finished"


def orphan(context: Context) -> str | None:
    """Return the newest run that should go on and whose command died, or None when there is none.

    A later run over the same libraries compared them with the store again: it superseded those before it.
    """
    waited_for = {each.run_id for each in active_runs(context.path)}
    seen: set[tuple[str, ...]] = set()
    for run_id in reversed(context.ledger.run_ids()[-RUNS:]):
        plan = context.ledger.plan(run_id)
        if plan.purpose != "library":
            continue  # whoever wanted predictions asks again
        if plan.libraries not in seen and run_id not in waited_for and is_unfinished(context, run_id):
            return run_id
        if plan.extract or plan.learn:
            seen.add(plan.libraries)
    return None


def run_exists(context: Context, run_id: str) -> bool:
    """Tell whether the ledger has the plan of a run."""
    return Path(context.ledger.path(run_id) / "plan.json").exists()


def is_unfinished(context: Context, run_id: str) -> bool:
    """Tell whether a run was scanned, has something left to do, and was not stopped."""
    if not run_exists(context, run_id):
        return False
    state = RunState.read(context, run_id)
    return state.stage not in ENDS and not state.stopped and bool(state.missing_steps())
