"""Daily maintenance: compaction and garbage collection of the store, and deletion of old models and runs."""

import logging
from datetime import UTC, datetime

from pipeline.clock import now
from workers.app.context import Context
from workers.notices.outbox import Outbox
from workers.runs import retention
from workers.schedule.nights import Maintenance, Nights, Schedule

log = logging.getLogger(__name__)


def tidy(context: Context) -> Maintenance:
    """Compact the store and collect what nobody refers to; any number of readers and writers may be at work."""
    compacted = context.store.compact()
    for line in compacted.damaged:
        log.warning("%s", line)
    collected = context.store.gc()
    schedule = Nights(context.path).schedule()
    models, runs = _prune(context, schedule) if schedule is not None else (0, 0)
    maintenance = Maintenance(
        ended=now(),
        compaction=compacted.state,
        segments=compacted.segments,
        removed=collected.manifests + collected.parts + collected.temporary,
        models=models,
        runs=runs,
    )
    Nights(context.path).put_maintenance(maintenance)
    Outbox(context.path).prune(datetime.now(UTC))
    return maintenance


def _prune(context: Context, schedule: Schedule) -> tuple[int, int]:
    """Delete the models and runs that a schedule does not keep; return how many of each.

    Runs first: a run that made a model stays for as long as the champion or a rollback needs it.
    """
    counts = []
    for keep, prune, noun in (
        (schedule.keep_runs, retention.prune_runs, "run"),
        (schedule.keep_models, retention.prune_models, "model"),
    ):
        pruned = prune(context, keep) if keep else retention.Pruned()
        for line in retention.describe_pruned(pruned, noun) if pruned.deleted else ():
            log.info("%s", line)
        counts.append(len(pruned.deleted))
    return counts[1], counts[0]
