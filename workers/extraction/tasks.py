"""The tasks of extraction: one file, and the seal of a shard."""

from typing import Any

from pipeline.errors import UsageError
from pipeline.library.tracks import ExtractTrack
from workers.app import canvas, task_names, task_results
from workers.app.base_task import RETRY, RunTask, exit_on_memory_error
from workers.app.celery import app
from workers.app.context import current
from workers.app.task_results import TaskResult
from workers.extraction import extract, seal
from workers.extraction.failures import HOST


class FileTask(RunTask):
    """A file's task: what is no fault of the file, and would be met with every file, stops the run with the reason."""

    abstract = True

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Stop the run, too, when a file cannot be begun for the second time, as without a plug-in it needs."""
        super().on_failure(exc, task_id, args, kwargs, einfo)
        if not isinstance(exc, UsageError):
            return
        order = ExtractTrack.from_wire(args[0])
        # Not at once: other hosts may have what this one lacks.
        if current().counters.attempts(order.run_id, order.track_id) > 1:
            current().counters.stop(order.run_id, f"host {HOST}: {exc}")

    def note_loss(self, run_id: str, order: dict[str, Any], line: str) -> None:
        """Leave a line about a process that was lost, and stop the run when that says nothing of the file."""
        super().note_loss(run_id, order, line)
        counters, limit = current().counters, current().settings.attempts
        # After the last attempt nothing is opened any more. Once more, since somebody may have killed the process.
        if counters.attempts(run_id, order.get("track_id", "")) > limit + 1:
            counters.stop(
                run_id, f"{line} before it opened a file, again and again; a plug-in or library that it loads ends it"
            )


@app.task(name=task_names.EXTRACT_TRACK, base=FileTask, **RETRY)
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
