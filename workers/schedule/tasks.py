"""The tasks of the queue `schedule`: the nightly run, recovery, maintenance."""

from datetime import datetime
from typing import Any

from workers.app import context, task_names
from workers.app.celery import app
from workers.app.task_results import TaskResult
from workers.schedule import maintenance
from workers.schedule.nights import describe_night

# What carries out runs is imported by its tasks: it brings Rich, which the workers of other queues do not need.


@app.task(name=task_names.NIGHTLY)
def nightly(*, slot: str, missed: bool) -> TaskResult:
    """Carry out the run of a night that is due."""
    from workers.schedule.nightly import run_night

    result = run_night(context.current(), datetime.fromisoformat(slot), missed=missed)
    if result is None:
        return TaskResult("waits: the home is in use", {"slot": slot})
    return TaskResult(describe_night(result), result.to_wire())


@app.task(name=task_names.RECONCILE)
def reconcile() -> str:
    """Bring an abandoned run to its end, if there is one."""
    from workers.schedule import recovery

    return recovery.reconcile(context.current())


@app.task(name=task_names.TIDY)
def tidy() -> dict[str, Any]:
    """Compact the store and collect what nobody refers to."""
    return maintenance.tidy(context.current()).to_wire()
