"""What the conductor does: the nightly run, taking up runs that nobody waits for, tidying up the store.

One process works for the queue `schedule`, and of several on several hosts one at a time is at a run. Other runs may
share the home with it, as all do that work for one broker; a night waits for those that came before it.
"""

import os
import socket
from datetime import UTC, datetime

from celery.utils.log import get_task_logger

from pipeline.errors import UsageError
from workers.app.context import Context
from workers.broker.address import BrokerAddress
from workers.runs import execute, request
from workers.runs.active import active_runs
from workers.runs.progress import View
from workers.runs.state import RunState
from workers.schedule.nights import Attempt, NightResult, Nights, Schedule, describe_night
from workers.schedule.recovery import FAILURES, conductor, is_unfinished, run_exists

log = get_task_logger(__name__)


def run_night(context: Context, slot: datetime, *, missed: bool) -> NightResult | None:
    """Deal with a night that is due and return what came of it, or None while the home is in use.

    Safe to be asked any number of times: what is settled stays, and a run that an earlier attempt left behind is
    taken up instead of begun anew.
    """
    nights = Nights(context.path)
    if (known := nights.result(slot)) is not None:
        return known
    schedule = nights.schedule()
    if schedule is None or schedule.nightly is None:
        return _settle(nights, slot, _skipped(slot, "switched off meanwhile"))
    if missed and schedule.missed == "skip" and not nights.attempts(slot):
        return _settle(nights, slot, _skipped(slot, "its hour passed while nothing was up"))
    if busy := active_runs(context.path):
        log.info("the night of %s waits for run %s", slot.isoformat(), busy[0].run_id)
        return None
    try:
        with conductor(context.path, "the nightly run"):
            return _settle(nights, slot, _carry_out(context, nights, schedule, slot))
    except UsageError as error:
        log.info("the night of %s waits: %s", slot.isoformat(), error)
        return None


def _carry_out(context: Context, nights: Nights, schedule: Schedule, slot: datetime) -> NightResult:
    attempts = nights.attempts(slot)
    left = attempts[-1].run_id if attempts else None
    started = attempts[0].started if attempts else _now()
    if left is not None and run_exists(context, left) and not is_unfinished(context, left):
        return _result(context, slot, left, started)
    if len(attempts) >= context.settings.attempts:
        reason = f"took its process down {len(attempts)} times; see logs/conduct.log"
        return NightResult(slot=slot.isoformat(), state="failed", reason=reason, started=started, ended=_now())
    taken_up = left is not None and is_unfinished(context, left)
    run_id = left if left is not None and taken_up else request.new_run_id()
    nights.begin(
        slot,
        len(attempts) + 1,
        Attempt(run_id=run_id, host=socket.gethostname(), pid=os.getpid(), started=_now()),
    )
    broker = context.settings.broker
    try:
        with View() as view:
            if taken_up:
                execute.adopt(context.path, run_id, view, broker=broker)
            else:
                champion = context.champions.current()
                orders = nightly_request(schedule, broker=broker, run_id=run_id, slot=slot)
                orders = orders.replace(against=champion.version if champion is not None else None)
                execute.execute(context.path, orders, view)
    except FAILURES as error:
        log.warning("the night of %s failed: %s", slot.isoformat(), error)
        return _result(context, slot, run_id, started, reason=" ".join(str(error).split()))
    return _result(context, slot, run_id, started)


def nightly_request(
    schedule: Schedule, *, broker: BrokerAddress | None, run_id: str | None = None, slot: datetime | None = None
) -> "request.RunRequest":
    """Return the orders of a nightly run.

    Raises `UsageError` for a recipe that is not there or has a mistake.
    """
    return request.RunRequest(
        command=("chordal", "nightly", *([slot.isoformat()] if slot else [])),
        libraries=schedule.libraries,
        recipe=request.recipe_of(schedule.recipe, trials=schedule.trials),
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


def _settle(nights: Nights, slot: datetime, result: NightResult) -> NightResult:
    nights.settle(slot, result)
    log.info("the night of %s: %s", slot.isoformat(), describe_night(result))
    return nights.result(slot) or result


def _skipped(slot: datetime, reason: str) -> NightResult:
    return NightResult(slot=slot.isoformat(), state="skipped", reason=reason, ended=_now())


def _result(context: Context, slot: datetime, run_id: str, started: str, *, reason: str = "") -> NightResult:
    """Return what came of a night by what the ledger says of its run."""
    result = NightResult(
        slot=slot.isoformat(), state="failed", run_id=run_id, reason=reason, started=started, ended=_now()
    )
    if not run_exists(context, run_id):
        return result
    report = context.ledger.report(run_id)
    result = result.replace(tracks=RunState.read(context, run_id).tracks)
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
