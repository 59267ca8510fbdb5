"""The tasks of extraction: one file, and the seal of a shard."""

from typing import Any

from pipeline.library.tracks import ExtractTrack
from workers.app import canvas, task_names, task_results
from workers.app.base_task import RETRY, RunTask, exit_on_memory_error
from workers.app.celery import app
from workers.app.context import current
from workers.app.task_results import TaskResult
from workers.extraction import extract, seal


@app.task(name=task_names.EXTRACT_TRACK, base=RunTask, **RETRY)
@exit_on_memory_error
def extract_track(order: dict[str, Any]) -> TaskResult:
    """Extract one file; returns its receipt, also for a file that has no features."""
    return task_results.receipt_result(extract.extract_one(ExtractTrack.from_wire(order), current()))


@app.task(name=task_names.SEAL_SHARD, base=RunTask, **RETRY)
@exit_on_memory_error
def seal_shard(*, run_id: str, shard: int) -> TaskResult:
    """Seal a shard whose files are all settled; the last one starts learning."""
    context = current()
    if context.counters.is_cancelled(run_id):
        return TaskResult("cancelled", {"shard": shard, "sealed": False})
    summary = seal.seal(context, run_id, shard)
    if summary is None:
        return TaskResult("not sealed: files are missing still", {"shard": shard, "sealed": False})
    if seal.claim_learning(context, run_id):
        canvas.publish_plan(context.ledger.plan(run_id))
    return task_results.shard_result(summary)
