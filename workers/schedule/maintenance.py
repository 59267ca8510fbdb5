"""Daily maintenance of the store: compaction and garbage collection."""

import logging
from datetime import UTC, datetime

from pipeline.clock import now
from workers.app.context import Context
from workers.notices.outbox import Outbox
from workers.schedule.nights import Maintenance, Nights

log = logging.getLogger(__name__)


def tidy(context: Context) -> Maintenance:
    """Compact the store and collect what nobody refers to; any number of readers and writers may be at work."""
    compacted = context.store.compact()
    for line in compacted.damaged:
        log.warning("%s", line)
    collected = context.store.gc()
    maintenance = Maintenance(
        ended=now(),
        compaction=compacted.state,
        segments=compacted.segments,
        removed=collected.manifests + collected.parts + collected.temporary,
    )
    Nights(context.path).put_maintenance(maintenance)
    Outbox(context.path).prune(datetime.now(UTC))
    return maintenance
