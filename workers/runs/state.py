"""What the ledger tells of a run's stages: how long each took, and what became of the files."""

from typing import Literal

from pipeline.plans.run import RunPlan
from pipeline.wire import Value
from storage.home import Home
from storage.ledger.times import stage_ends
from workers.app.context import Context
from workers.extraction import settled

ENDS = ("finished", "failed", "cancelled")
"""The stages that no other follows."""


def seconds(home: Home, run_id: str) -> dict[str, float]:
    """Return the wall seconds of each stage that has ended, told by when its last document was written."""
    ends = stage_ends(home.ledger, run_id)
    begun = ends.pop("plan")
    taken: dict[str, float] = {}
    for stage, end in ends.items():
        taken[stage] = round(max(0.0, end - begun), 3)
        begun = end
    return taken


def track_counts(home: Home, plan: RunPlan) -> dict[str, int]:
    """Return how many files of a run are extracted by it, were there already, failed, or are not extracted yet."""
    if plan.extract:
        sealed = home.ledger.sealed(plan.run_id).values()
        return {
            name: sum(getattr(summary, name) for summary in sealed) for name in ("extracted", "unchanged", "failed")
        }
    counts = {"extracted": 0, "unchanged": 0, "failed": 0, "missing": 0}
    snapshot = home.store.snapshot()
    keys = settled.family_keys(plan)
    for shard in home.ledger.shards(plan.run_id):
        for track in home.ledger.shard(plan.run_id, shard):
            record = snapshot.record(track.track_id)
            if record is not None and record.failure is not None and record.mark is None:
                counts["failed"] += 1
            else:
                counts["unchanged" if settled.is_settled(track, snapshot, keys) else "missing"] += 1
    return counts


def describe_counts(counts: dict[str, int]) -> str:
    """Return what became of the files, in words."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "extracted")


def current_stage(home: Home, run_id: str) -> str:
    """Return the name of the stage a run is in, or how it ended."""
    ledger = home.ledger
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


class RunState(Value, frozen=True, kw_only=True):
    """A run as the ledger shows it."""

    shards: int | None
    """How many there are; None while the scan goes on."""
    sealed: frozenset[int] = frozenset()
    extract: bool = True
    learn: bool = True
    trials: frozenset[int] | None = None
    """Indices of the planned trials; None before the study is drawn up."""
    outcomes: frozenset[int] = frozenset()
    ended: bool = False
    """A report or a failure is there."""


class Step(Value, frozen=True, kw_only=True):
    """Something that has to be published again."""

    kind: Literal["shard", "plan", "trials", "finish"]
    numbers: tuple[int, ...] = ()


def missing_steps(state: RunState) -> list[Step]:
    """Return what has to be published for the run to go on, given that nothing is queued or running."""
    if state.ended or state.shards is None:
        return []
    unsealed = sorted(set(range(state.shards)) - state.sealed) if state.extract else []
    if unsealed:
        return [Step(kind="shard", numbers=(shard,)) for shard in unsealed]
    if not state.learn:
        return []
    if state.trials is None:
        return [Step(kind="plan")]
    untold = sorted(state.trials - state.outcomes)
    return [Step(kind="trials", numbers=tuple(untold)) if untold else Step(kind="finish")]


def observe(context: Context, run_id: str) -> RunState:
    """Read a run's state from the ledger."""
    ledger = context.ledger
    plan = ledger.plan(run_id)
    study = ledger.study(run_id)
    return RunState(
        shards=ledger.shard_count(run_id),
        sealed=frozenset(ledger.sealed_shards(run_id)),
        extract=plan.extract,
        learn=plan.learn,
        trials=None if study is None else frozenset(study.indices),
        outcomes=frozenset(ledger.ended_trials(run_id)),
        # The page comes after the figures: a command that left in between would stop the worker that writes it.
        ended=(ledger.report(run_id) is not None and (ledger.path(run_id) / "report.html").exists())
        or ledger.failure(run_id) is not None,
    )
