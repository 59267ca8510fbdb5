"""What a shard's chord body does: compact the store, seal the shard if every file is settled, start learning."""

from pipeline.library.tracks import ScannedTrack
from pipeline.plans.run import ShardSummary
from storage import Snapshot
from workers.app.context import Context
from workers.extraction.settled import audio_s, augmentation, family_keys, is_retagged, is_settled, outcome


def seal(context: Context, run_id: str, shard: int) -> ShardSummary | None:
    """Seal a shard when the store has settled every file of it; return its summary, or None when files are missing.

    The results of the chord do not count: a body may run early or twice, and neither may count a file wrongly.
    """
    if shard in context.ledger.sealed_shards(run_id):
        return context.ledger.summaries(run_id)[shard]
    plan = context.ledger.plan(run_id)
    keys = family_keys(plan)
    tracks = context.ledger.shard(run_id, shard)
    context.store.compact()
    snapshot = context.store.snapshot()
    summary = ShardSummary(shard=shard)
    for track in tracks:
        if not is_settled(track, snapshot, keys, augmentation(plan, track), plan.chunk_s):
            return None
        summary = _counted(summary, track, snapshot, plan.sequence)
    context.ledger.seal(run_id, summary)
    return summary


def _counted(summary: ShardSummary, track: ScannedTrack, snapshot: Snapshot, sequence: int) -> ShardSummary:
    record = snapshot.record(track.track_id)
    assert record is not None, "settled tracks have a record"  # noqa: S101 - narrows the type
    name = outcome(record, sequence)
    counts = {name: getattr(summary, name) + 1, "retagged": summary.retagged + is_retagged(record, sequence)}
    return summary.replace(audio_s=summary.audio_s + audio_s(record), **counts)


def claim_learning(context: Context, run_id: str) -> bool:
    """Tell, to exactly one caller ever, that the last shard is sealed and learning may start."""
    shards = context.ledger.shard_count(run_id)
    if shards is None or len(context.ledger.sealed_shards(run_id)) < shards:
        return False
    return context.ledger.plan(run_id).learn and context.ledger.claim(run_id, "learning")
