"""What the ledger tells of a run's stages: how long each took, and what became of the files."""

from pipeline.runs import RunPlan
from storage.times import stage_ends
from workers import sealing
from workers.context import Doors

ENDS = ("finished", "failed", "cancelled")
"""The stages that no other follows."""


def seconds(context: Doors, run_id: str) -> dict[str, float]:
    """Return the wall seconds of each stage that has ended, told by when its last document was written."""
    ends = stage_ends(context.ledger, run_id)
    begun = ends.pop("plan")
    told: dict[str, float] = {}
    for stage, end in ends.items():
        told[stage] = round(max(0.0, end - begun), 3)
        begun = end
    return told


def track_counts(context: Doors, plan: RunPlan) -> dict[str, int]:
    """Return how many files of a run are extracted by it, were there already, failed, or are not extracted yet."""
    if plan.extract:
        sealed = context.ledger.sealed(plan.run_id).values()
        return {
            name: sum(getattr(summary, name) for summary in sealed) for name in ("extracted", "unchanged", "failed")
        }
    counts = {"extracted": 0, "unchanged": 0, "failed": 0, "missing": 0}
    snapshot = context.store.snapshot()
    keys = sealing.family_keys(plan)
    for shard in context.ledger.shards(plan.run_id):
        for track in context.ledger.shard(plan.run_id, shard):
            record = snapshot.record(track.track_id)
            if record is not None and record.failure is not None and record.mark is None:
                counts["failed"] += 1
            else:
                counts["unchanged" if sealing.is_settled(track, snapshot, keys) else "missing"] += 1
    return counts


def told(counts: dict[str, int]) -> str:
    """Return what became of the files, in words."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "extracted")


def current(context: Doors, run_id: str) -> str:
    """Return the name of the stage a run is in, or how it ended."""
    ledger = context.ledger
    if ledger.report(run_id) is not None or ledger.failure(run_id) is not None:
        return "finished" if ledger.failure(run_id) is None else "failed"
    if ledger.claimed(run_id, "cancelled") is not None:
        return "cancelled"
    plan = ledger.plan(run_id)
    shards = ledger.shard_count(run_id)
    if shards is None:
        return "scan"
    if plan.extract and len(ledger.sealed_shards(run_id)) < shards:
        return "extract"
    if not plan.learn:
        return "finished"
    study = ledger.study(run_id)
    return "trials" if study is None or len(ledger.ended_trials(run_id)) < len(study.indices) else "final"
