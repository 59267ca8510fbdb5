"""Daily maintenance of the store: compaction and garbage collection."""

from workers.app.context import Context
from workers.schedule.nightly import _now, log
from workers.schedule.nights import Nights, Tidied


def tidy(context: Context) -> Tidied:
    """Compact the store and collect what nobody refers to; any number of readers and writers may be at work."""
    compacted = context.store.compact()
    for line in compacted.damaged:
        log.warning("%s", line)
    collected = context.store.gc()
    tidied = Tidied(
        ended=_now(),
        compaction=compacted.state,
        segments=compacted.segments,
        removed=collected.manifests + collected.parts + collected.temporary,
    )
    Nights(context.path).put_tidied(tidied)
    return tidied
