"""What the conductor does: the nightly run, taking up runs that nobody waits for, tidying up the store.

One process works for the queue `schedule`, and of several on several hosts one at a time is at a run. Other runs may
share the home with it, as all do that work for one broker; a night waits for those that came before it.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from celery.utils.log import get_task_logger

from pipeline.errors import ChordalError, UsageError
from pipeline.tracks import printable
from workers import running, stages, sweep
from workers.address import BrokerAddress
from workers.context import Context
from workers.fitness import BROKER_ERRORS
from workers.going import going
from workers.home import only_one
from workers.progress import View
from workers.schedule import LOCK_FOLDER, Attempt, NightResult, Nights, Schedule, Tidied

log = get_task_logger(__name__)

RUNS = 20
"""How many of the newest runs are looked at."""

FAILURES = (ChordalError, *BROKER_ERRORS)


def night(context: Context, slot: datetime, *, missed: bool) -> NightResult | None:
    """Deal with a night that is due and return what came of it, or None while the home is in use.

    Safe to be asked any number of times: what is settled stays, and a run that an earlier attempt left behind is
    taken up instead of begun anew.
    """
    nights = Nights(context.home)
    if (known := nights.result(slot)) is not None:
        return known
    schedule = nights.schedule()
    if schedule is None or schedule.nightly is None:
        return _settle(nights, slot, _skipped(slot, "switched off meanwhile"))
    if missed and schedule.missed == "skip" and not nights.attempts(slot):
        return _settle(nights, slot, _skipped(slot, "its hour passed while nothing was up"))
    if busy := going(context.home):
        log.info("the night of %s waits for run %s", slot.isoformat(), busy[0].run_id)
        return None
    try:
        with conducting(context.home, "the nightly run"):
            return _settle(nights, slot, _carry_out(context, nights, schedule, slot))
    except UsageError as error:
        log.info("the night of %s waits: %s", slot.isoformat(), error)
        return None


@contextmanager
def conducting(home: Path, doing: str) -> Iterator[None]:
    """Be the one conductor that is at a run. Raises `UsageError` when another is, or a run has the home for itself."""
    folder = home / LOCK_FOLDER
    folder.mkdir(exist_ok=True)
    with only_one(folder, doing=doing), only_one(home, doing=doing, shared=True):
        yield


def _carry_out(context: Context, nights: Nights, schedule: Schedule, slot: datetime) -> NightResult:
    attempts = nights.attempts(slot)
    left = attempts[-1].run_id if attempts else None
    started = attempts[0].started if attempts else _now()
    if left is not None and _exists(context, left) and not _unfinished(context, left):
        return _result(context, slot, left, started)
    if len(attempts) >= context.settings.attempts:
        reason = f"took its process down {len(attempts)} times; see logs/conduct.log"
        return NightResult(slot=slot.isoformat(), state="failed", reason=reason, started=started, ended=_now())
    taken_up = left is not None and _unfinished(context, left)
    run_id = left if left is not None and taken_up else running.new_run_id()
    nights.begin(
        slot,
        len(attempts) + 1,
        Attempt(run_id=run_id, host=socket.gethostname(), pid=os.getpid(), started=_now()),
    )
    broker = context.settings.broker
    try:
        with View() as view:
            if taken_up:
                running.adopt(context.home, run_id, view, broker=broker)
            else:
                champion = context.champions.current()
                orders = wanted(schedule, broker=broker, run_id=run_id, slot=slot)
                orders = orders.replace(against=champion.version if champion is not None else None)
                running.execute(context.home, orders, view)
    except FAILURES as error:
        log.warning("the night of %s failed: %s", slot.isoformat(), error)
        return _result(context, slot, run_id, started, reason=" ".join(str(error).split()))
    return _result(context, slot, run_id, started)


def wanted(
    schedule: Schedule, *, broker: BrokerAddress | None, run_id: str | None = None, slot: datetime | None = None
) -> "running.Wanted":
    """Return the orders of a nightly run.

    Raises `UsageError` for a recipe that is not there or has a mistake.
    """
    return running.Wanted(
        command=("chordal", "nightly", *([slot.isoformat()] if slot else [])),
        libraries=schedule.libraries,
        recipe=running.recipe_of(schedule.recipe, trials=schedule.trials),
        labels=schedule.labels,
        groups=schedule.groups,
        folds=schedule.folds,
        seed=schedule.seed,
        broker=broker,
        max_duration_s=schedule.max_duration_s,
        run_id=run_id,
        priority="low",
        tracking=schedule.tracking,
    )


def reconcile(context: Context) -> str:
    """Take up a run that nobody waits for, bring it to its end, and say what was done."""
    run_id = orphan(context)
    if run_id is None:
        return "no run is left behind"
    try:
        with conducting(context.home, f"taking up run {run_id}"), View() as view:
            if orphan(context) != run_id:
                return f"run {run_id} is no longer left behind"
            running.adopt(context.home, run_id, view, broker=context.settings.broker)
    except FAILURES as error:
        return f"run {run_id} was taken up and failed: {error}"
    return f"run {run_id} was taken up and finished"


def orphan(context: Context) -> str | None:
    """Return the newest run that should go on and whose command died, or None when there is none.

    A later run over the same libraries compared them with the store again: it superseded those before it.
    """
    waited_for = {each.run_id for each in going(context.home)}
    seen: set[tuple[str, ...]] = set()
    for run_id in reversed(context.ledger.run_ids()[-RUNS:]):
        plan = context.ledger.plan(run_id)
        if plan.purpose != "library":
            continue  # whoever wanted predictions asks again
        if plan.libraries not in seen and run_id not in waited_for and _unfinished(context, run_id):
            return run_id
        if plan.extract or plan.learn:
            seen.add(plan.libraries)
    return None


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
    Nights(context.home).put_tidied(tidied)
    return tidied


def _exists(context: Context, run_id: str) -> bool:
    return Path(context.ledger.path(run_id) / "plan.json").exists()


def _unfinished(context: Context, run_id: str) -> bool:
    """Tell whether a run was scanned, has something left to do, and was not stopped."""
    if not _exists(context, run_id) or stages.current(context, run_id) in stages.ENDS:
        return False
    if context.ledger.claimed(run_id, running.STOPPED) is not None:
        return False
    return bool(sweep.missing_steps(sweep.observe(context, run_id)))


def _settle(nights: Nights, slot: datetime, result: NightResult) -> NightResult:
    nights.settle(slot, result)
    log.info("the night of %s: %s", slot.isoformat(), words(result))
    return nights.result(slot) or result


def _skipped(slot: datetime, reason: str) -> NightResult:
    return NightResult(slot=slot.isoformat(), state="skipped", reason=reason, ended=_now())


def _result(context: Context, slot: datetime, run_id: str, started: str, *, reason: str = "") -> NightResult:
    """Return what came of a night by what the ledger says of its run."""
    result = NightResult(
        slot=slot.isoformat(), state="failed", run_id=run_id, reason=reason, started=started, ended=_now()
    )
    if not _exists(context, run_id):
        return result
    report = context.ledger.report(run_id)
    result = result.replace(tracks=stages.track_counts(context, context.ledger.plan(run_id)))
    if report is None:
        return result.replace(reason=reason or context.ledger.failure(run_id) or "it was stopped")
    verdict, champion = context.champions.verdict(report.model.version), context.champions.current()
    return result.replace(
        state="finished",
        reason="",
        model=report.model.version,
        test_accuracy=report.test.accuracy,
        verdict=verdict.state if verdict is not None else "",
        verdict_reason=verdict.reason if verdict is not None else "",
        champion=champion.version if champion is not None else None,
    )


def words(result: NightResult) -> str:
    """Return what came of a night, for people."""
    if result.state != "finished":
        return f"{result.state}: {printable(result.reason)}"
    counts = ", ".join(f"{count} {name}" for name, count in result.tracks.items())
    accuracy = "" if result.test_accuracy is None else f", accuracy {result.test_accuracy:.1%}"
    verdict = f", {result.verdict}: {printable(result.verdict_reason)}" if result.verdict else ""
    return f"run {result.run_id}, model {result.model}{accuracy}; {counts}{verdict}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
