"""What a shard's chord body does: ask the store whether every file is settled, compact, seal, start learning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pipeline.augmentation.plans import AugmentPlan
from pipeline.features.registry import family
from pipeline.runs import RunPlan, ShardSummary
from pipeline.tracks import ExtractTrack, ScannedTrack, TrackRecord
from workers import cutting
from workers.context import Context
from workers.copies import unsettled
from workers.extracting import settled

if TYPE_CHECKING:
    from storage import FeatureStore, Snapshot


def family_keys(plan: RunPlan) -> frozenset[str]:
    """Return the store keys, with fingerprints, of every family the run's recipe needs."""
    return frozenset(family(name).spec.key for name in plan.recipe.families)


def copies_wanted(plan: RunPlan, track: ScannedTrack) -> AugmentPlan | None:
    """Return which augmented copies a run wants of a file: none of a file that nothing is learned from."""
    return plan.recipe.augment if track.label is not None else None


def is_settled(
    track: ScannedTrack,
    source: "FeatureStore | Snapshot",
    keys: frozenset[str],
    augment: AugmentPlan | None = None,
    chunk_s: float | None = None,
) -> bool:
    """Tell whether the store has everything a run wants of a scanned file, its copies and chunks, or their failures."""
    record = source.record(track.track_id)
    if record is None or not settled(record, track.stamp, keys, source.families_of(record.content_hash)):
        return False
    return not unsettled(augment, record, keys, source) and not cutting.unsettled(chunk_s, record, keys, source)


def orders_missing(plan: RunPlan, shard: int, tracks: Sequence[ScannedTrack], source: "Snapshot") -> list[ExtractTrack]:
    """Return the orders for the files of a shard that the store does not have yet."""
    keys = family_keys(plan)
    missing = [
        track for track in tracks if not is_settled(track, source, keys, copies_wanted(plan, track), plan.chunk_s)
    ]
    return orders(plan, shard, missing)


def orders(plan: RunPlan, shard: int, tracks: Sequence[ScannedTrack]) -> list[ExtractTrack]:
    """Return the orders to extract some files of a shard."""
    return [
        ExtractTrack(
            run_id=plan.run_id,
            shard=shard,
            track_id=track.track_id,
            path=track.path,
            stamp=track.stamp,
            sequence=plan.sequence,
            families=plan.recipe.families,
            augment=copies_wanted(plan, track),
            chunk_s=plan.chunk_s,
        )
        for track in tracks
    ]


def seal(context: Context, run_id: str, shard: int) -> ShardSummary | None:
    """Seal a shard when the store has settled every file of it; return its summary, or None when files are missing.

    The chord's own results are not asked: a body may run early or twice, and neither may count a file wrongly.
    """
    if shard in context.ledger.sealed_shards(run_id):
        return context.ledger.sealed(run_id)[shard]
    plan = context.ledger.plan(run_id)
    keys = family_keys(plan)
    tracks = context.ledger.shard(run_id, shard)
    context.store.compact()
    snapshot = context.store.snapshot()
    summary = ShardSummary(shard=shard)
    for track in tracks:
        if not is_settled(track, snapshot, keys, copies_wanted(plan, track), plan.chunk_s):
            return None
        summary = _counted(summary, track, snapshot, plan.sequence)
    context.ledger.seal(run_id, summary)
    return summary


def outcome(record: TrackRecord, sequence: int) -> Literal["extracted", "unchanged", "failed"]:
    """Return what became of a settled file in the run of a sequence."""
    if record.failure is not None:
        return "failed"
    return "extracted" if record.sequence == sequence and not record.reused else "unchanged"


def _counted(summary: ShardSummary, track: ScannedTrack, snapshot: "Snapshot", sequence: int) -> ShardSummary:
    record = snapshot.record(track.track_id)
    assert record is not None, "settled tracks have a record"  # noqa: S101 - narrows the type
    of = outcome(record, sequence)
    audio_s = 0.0 if of == "failed" else record.duration_s
    return summary.replace(audio_s=summary.audio_s + audio_s, **{of: getattr(summary, of) + 1})


def ready_to_learn(context: Context, run_id: str) -> bool:
    """Tell, to exactly one caller ever, that the last shard is sealed and learning may start."""
    shards = context.ledger.shard_count(run_id)
    if shards is None or len(context.ledger.sealed_shards(run_id)) < shards:
        return False
    return context.ledger.plan(run_id).learn and context.ledger.claim(run_id, "learning")
