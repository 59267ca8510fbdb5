"""How tasks ended whose last event was lost while the broker was away, by what the home has of them.

A task that Flower last heard of at its start may have ended since. What it was to do is written down in the home by
whoever did it, so that decides; a real event that comes later replaces what is said here.
"""

import ast
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from pipeline.errors import ChordalError
from pipeline.text import printable
from storage.home import Home, lock_holder
from workers.app import task_results
from workers.app.task_names import (
    EXTRACT_TRACK,
    FINISH_RUN,
    NIGHTLY,
    PLAN_TRIALS,
    RECONCILE,
    RUN_TRIAL,
    SEAL_SHARD,
    TIDY,
)
from workers.extraction import settled
from workers.runs.state import RunState
from workers.schedule.nights import LOCK_FOLDER, Nights, describe_night


class OpenTask(NamedTuple):
    """A task that has not ended as far as is known."""

    uuid: str
    name: str
    args: str
    """As they were shown at publishing."""
    kwargs: dict[str, Any]
    since_s: float
    """When it was last heard of, seconds since 1970."""


class Ending(NamedTuple):
    """How a task ended, and in words how that is known."""

    state: Literal["succeeded", "failed", "revoked"]
    words: str


def shown_kwargs(text: Any) -> dict[str, Any]:
    """Return the keyword arguments of a task from their words; empty where they cannot be read."""
    try:
        kwargs = ast.literal_eval(text or "{}")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}
    return kwargs if isinstance(kwargs, dict) else {}


def endings(home: Home, tasks: Sequence[OpenTask]) -> dict[str, Ending]:
    """Return how tasks ended, by id; those that may go on, and those of a run that cannot be read, are left out."""
    by_run: dict[str, list[OpenTask]] = defaultdict(list)
    for task in tasks:
        # A night has a run of its own, but ends after it.
        by_run["" if task.name == NIGHTLY else str(task.kwargs.get("run_id", ""))].append(task)
    found = _without_run(home, by_run.pop("", []))
    for run_id, own in by_run.items():
        try:
            found |= _of_run(home, run_id, own)
        except ChordalError:
            continue  # the next time is soon
    return found


def _of_run(home: Home, run_id: str, tasks: Sequence[OpenTask]) -> dict[str, Ending]:
    if "/" in run_id or not (home.ledger.path(run_id) / "plan.json").exists():
        return {task.uuid: Ending("revoked", "its run is no longer in the home") for task in tasks}
    state = RunState.read(home, run_id)
    found = {task.uuid: ending for task in tasks if (ending := _by_ledger(state, task)) is not None}
    files = [task for task in tasks if task.name == EXTRACT_TRACK and task.uuid not in found]
    return found | _by_store(state, files)


def _by_ledger(state: RunState, task: OpenTask) -> Ending | None:
    """Return how a task of a run ended by the run's documents."""
    done = _done(state, task)
    if done is not None:
        return Ending("succeeded", f"{done} (by the ledger)")
    if state.failure is not None:
        return Ending("failed", f"the run failed: {printable(state.failure)}")
    if state.cancelled:
        return Ending("revoked", "the run was cancelled")
    return Ending("revoked", "the run is finished") if state.ended else None


def _done(state: RunState, task: OpenTask) -> str | None:
    """Return in words what a task has done; None while nothing of it is written down."""
    ledger, run_id = state.home.ledger, state.plan.run_id
    shard, index = task.kwargs.get("shard"), task.kwargs.get("index")
    words: str | None = None
    if task.name == EXTRACT_TRACK and shard in state.sealed:
        words = f"settled: shard {shard} is sealed"
    elif task.name == SEAL_SHARD and shard in state.sealed:
        words = repr(task_results.shard_result(ledger.summary(run_id, int(shard))))
    elif task.name == PLAN_TRIALS and state.trials is not None:
        words = f"{len(state.trials)} trials"
    elif task.name == RUN_TRIAL and index in state.ended_trials:
        outcome = ledger.outcome(run_id, int(index))
        words = None if outcome is None else repr(task_results.trial_result(outcome))
    elif task.name == FINISH_RUN and state.has_report and state.has_page:
        report = ledger.report(run_id)
        words = None if report is None else repr(task_results.run_result(report))
    return words


def _by_store(state: RunState, tasks: Sequence[OpenTask]) -> dict[str, Ending]:
    """Return which files are settled, of shards that are open still, since the store has all that is wanted of them."""
    found: dict[str, Ending] = {}
    by_shard: dict[int, list[OpenTask]] = defaultdict(list)
    for task in tasks:
        if isinstance(shard := task.kwargs.get("shard"), int):
            by_shard[shard].append(task)
    if not by_shard:
        return found
    plan, snapshot = state.plan, state.home.store.snapshot()
    keys = settled.family_keys(plan)
    for shard, own in by_shard.items():
        for track in state.home.ledger.shard(plan.run_id, shard):
            begin = f"({printable(track.path)}, "
            of_track = [task for task in own if task.args.startswith(begin)]
            augment = settled.augmentation(plan, track)
            if of_track and settled.is_settled(track, snapshot, keys, augment, plan.chunk_s):
                found |= {task.uuid: Ending("succeeded", "settled (by the store)") for task in of_track}
    return found


def _without_run(home: Home, tasks: Sequence[OpenTask]) -> dict[str, Ending]:
    """Return how tasks of the schedule ended."""
    nights, found = Nights(home.path), {}
    for task in tasks:
        try:
            words = _scheduled_end(home, nights, task)
        except (ChordalError, OSError, ValueError):
            continue
        if words is not None:
            found[task.uuid] = Ending("succeeded", f"{words} (by the ledger)")
    return found


def _scheduled_end(home: Home, nights: Nights, task: OpenTask) -> str | None:
    if task.name == NIGHTLY and "slot" in task.kwargs:
        result = nights.result(datetime.fromisoformat(task.kwargs["slot"]))
        return None if result is None else describe_night(result)
    if task.name == TIDY:
        last = nights.last_maintenance()
        done = last is not None and datetime.fromisoformat(last.ended).timestamp() >= task.since_s
        return last.compaction if last is not None and done else None
    if task.name == RECONCILE and lock_holder(home.path / LOCK_FOLDER) is None:
        return "over: nobody is at a run that was left behind"
    return None


def run_of_night(home: Home, kwargs: dict[str, Any]) -> str | None:
    """Return the run that a night became, by the keyword arguments of its task; None while there is none."""
    try:
        attempts = Nights(home.path).attempts(datetime.fromisoformat(kwargs["slot"]).astimezone(UTC))
    except (ChordalError, KeyError, TypeError, ValueError):
        return None
    return attempts[-1].run_id if attempts else None
