"""Recovery of abandoned runs: find the newest run whose command died and that should go on, and finish it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import ChordalError
from storage.home import Home, home_lock
from workers.app.context import Context
from workers.broker.health import BROKER_ERRORS
from workers.runs.active import active_runs
from workers.runs.execute import adopt
from workers.runs.progress import View
from workers.runs.state import ENDS, RunState
from workers.schedule.nights import LOCK_FOLDER

RUNS = 20
"""How many of the newest runs are considered."""

FAILURES = (ChordalError, *BROKER_ERRORS)
"""What may end a run that was begun by the clock; it is written down or returned, and the next one comes."""


@contextmanager
def schedule_lock(home: Home, doing: str) -> Iterator[None]:
    """Hold the locks for a run that is begun by the clock: one at a time is, in a home that nobody has for himself.

    Raises `UsageError` while another one goes on, or a run with a private broker.
    """
    folder = home.path / LOCK_FOLDER
    folder.mkdir(exist_ok=True)
    with home_lock(folder, purpose=doing), home_lock(home.path, purpose=doing, shared=True):
        yield


def reconcile(context: Context) -> str:
    """Bring an abandoned run to its end, if there is one, and return in words what was done."""
    run_id = abandoned_run(context)
    if run_id is None:
        return "no run is left behind"
    try:
        with schedule_lock(context, f"taking up run {run_id}"), View() as view:
            if abandoned_run(context) != run_id:
                return f"run {run_id} is no longer left behind"
            adopt(context, run_id, view, broker=context.settings.broker)
    except FAILURES as error:
        return f"run {run_id} was taken up and failed: {error}"
    return f"run {run_id} was taken up and finished"


def abandoned_run(home: Home) -> str | None:
    """Return the newest run that should go on and whose command died, or None when there is none.

    A later run over the same libraries compared them with the store again: it superseded those before it.
    """
    active = {each.run_id for each in active_runs(home)}
    superseded: set[tuple[str, ...]] = set()
    for run_id in reversed(home.ledger.run_ids()[-RUNS:]):
        plan = home.ledger.plan(run_id)
        if plan.purpose != "library":
            continue  # nobody waits for its predictions any more
        if plan.libraries not in superseded and run_id not in active and is_unfinished(home, run_id):
            return run_id
        if plan.extract or plan.learn:
            superseded.add(plan.libraries)
    return None


def run_exists(home: Home, run_id: str) -> bool:
    """Tell whether the ledger has the plan of a run."""
    return (home.ledger.path(run_id) / "plan.json").exists()


def is_unfinished(home: Home, run_id: str) -> bool:
    """Tell whether a run was scanned, has something left to do, and was not stopped."""
    if not run_exists(home, run_id):
        return False
    state = RunState.read(home, run_id)
    return state.stage not in ENDS and not state.stopped and bool(state.missing_steps())
