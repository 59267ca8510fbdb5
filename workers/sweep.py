"""The healing of a run: compare what the ledger and the store hold with what should be there, publish the rest.

What to do is decided by a pure function; the waiting command carries it out whenever nothing is in flight any more.
"""

from typing import Literal

from pipeline.wire import Value
from workers import flow
from workers.context import Context


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


def carry_out(context: Context, run_id: str, steps: list[Step]) -> None:
    """Publish what a sweep found missing of learning; the shards may be too many for the queues, as for a new run."""
    plan = context.ledger.plan(run_id)
    for step in steps:
        if step.kind == "plan":
            flow.publish_plan(plan)
        elif step.kind != "shard" and (study := context.ledger.study(run_id)) is not None:
            flow.publish_trials(plan, study, missing=step.numbers)
