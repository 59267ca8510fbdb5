"""The nightly run: whether a night that is due is skipped, waits or is carried out, and what came of it.

The worker of the queue `schedule` carries it out; of several on several hosts one at a time is at a run. Other runs may
share the home with it, as all do that work for one broker; a night waits for those that came before it.
"""

import logging
import os
import socket
from datetime import datetime

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.library.vocabulary.load import with_vocabulary
from storage.home import Home
from workers.app.context import Context
from workers.broker.address import BrokerAddress
from workers.processes.death import last_exception, tail
from workers.runs.active import active_runs
from workers.runs.execute import adopt, execute
from workers.runs.progress import View
from workers.runs.request import RunRequest, new_run_id, recipe_of
from workers.runs.state import RunState
from workers.schedule.nights import SWITCHED_OFF, Attempt, NightResult, Nights, Schedule, describe_night
from workers.schedule.recovery import FAILURES, is_unfinished, run_exists, schedule_lock

log = logging.getLogger(__name__)


def run_night(context: Context, slot: datetime, *, missed: bool) -> NightResult | None:
    """Carry out a night that is due and return what came of it, or None while the home is in use.

    May be called any number of times: a result that is written stays, and a run that an earlier attempt left behind
    is taken up instead of begun anew.
    """
    nights = Nights(context.path)
    if (known := nights.result(slot)) is not None:
        return known
    schedule = nights.schedule()
    if schedule is None or schedule.nightly is None:
        return _settle(nights, slot, _skipped(slot, SWITCHED_OFF))
    if missed and schedule.missed == "skip" and not nights.attempts(slot):
        return _settle(nights, slot, _skipped(slot, "its hour passed while nothing was up"))
    if active := active_runs(context):
        log.info("the night of %s waits for run %s", slot.isoformat(), active[0].run_id)
        return None
    try:
        with schedule_lock(context, "the nightly run"):
            return _settle(nights, slot, _carry_out(context, nights, schedule, slot))
    except UsageError as error:
        log.info("the night of %s waits: %s", slot.isoformat(), error)
        return None


def nightly_request(
    schedule: Schedule, *, broker: BrokerAddress | None, run_id: str | None = None, slot: datetime | None = None
) -> RunRequest:
    """Return the request for a nightly run.

    Raises `UsageError` for a recipe or a vocabulary that is not there or has a mistake; both are read anew.
    """
    recipe = recipe_of(schedule.recipe, trials=schedule.trials, dual_mono=schedule.dual_mono)
    return RunRequest(
        command=("chordal", "nightly", *([slot.isoformat()] if slot else [])),
        libraries=schedule.libraries,
        recipe=recipe,
        labels=schedule.labels,
        groups=schedule.groups,
        folds=schedule.folds,
        seed=schedule.seed,
        broker=broker,
        max_duration_s=schedule.max_duration_s,
        run_id=run_id,
        priority="low",
        tracking=schedule.tracking,
        rules=with_vocabulary(schedule.rules, recipe.vocabulary, recipe.name),
    )


def _carry_out(context: Context, nights: Nights, schedule: Schedule, slot: datetime) -> NightResult:
    """Run a night, or take up the run of its last attempt, and return what came of it."""
    attempts = nights.attempts(slot)
    left = attempts[-1].run_id if attempts else None
    started = attempts[0].started if attempts else now()
    if left is not None and run_exists(context, left) and not is_unfinished(context, left):
        return _result(context, slot, left, started)
    if len(attempts) >= context.settings.attempts:
        said = last_exception(tail(context.path / "logs" / "conduct.log"))
        why = f" ({said})" if said else ""
        reason = f"took its process down {len(attempts)} times{why}; see logs/conduct.log"
        return NightResult(slot=slot.isoformat(), state="failed", reason=reason, started=started, ended=now())
    is_adopted = left is not None and is_unfinished(context, left)
    run_id = left if left is not None and is_adopted else new_run_id()
    nights.begin(
        slot,
        len(attempts) + 1,
        Attempt(run_id=run_id, host=socket.gethostname(), pid=os.getpid(), started=now()),
    )
    broker = context.settings.broker
    try:
        with View() as view:
            if is_adopted:
                adopt(context, run_id, view, broker=broker)
            else:
                champion = context.champions.current()
                request = nightly_request(schedule, broker=broker, run_id=run_id, slot=slot)
                request = request.replace(against=champion.version if champion is not None else None)
                execute(context, request, view)
    except FAILURES as error:
        log.warning("the night of %s failed: %s", slot.isoformat(), error)
        return _result(context, slot, run_id, started, reason=" ".join(str(error).split()))
    return _result(context, slot, run_id, started)


def _settle(nights: Nights, slot: datetime, result: NightResult) -> NightResult:
    """Write what came of a night, and return what was written first."""
    nights.settle(slot, result)
    log.info("the night of %s: %s", slot.isoformat(), describe_night(result))
    return nights.result(slot) or result


def _skipped(slot: datetime, reason: str) -> NightResult:
    return NightResult(slot=slot.isoformat(), state="skipped", reason=reason, ended=now())


def _result(home: Home, slot: datetime, run_id: str, started: str, *, reason: str = "") -> NightResult:
    """Return what came of a night by what the ledger has of its run."""
    result = NightResult(
        slot=slot.isoformat(), state="failed", run_id=run_id, reason=reason, started=started, ended=now()
    )
    if not run_exists(home, run_id):
        return result
    state = RunState.read(home, run_id)
    report = home.ledger.report(run_id)
    result = result.replace(tracks=state.tracks)
    if report is None:
        return result.replace(reason=reason or state.failure or "it was stopped")
    verdict, champion = home.champions.verdict(report.model.version), home.champions.current()
    return result.replace(
        state="finished",
        reason="",
        model=report.model.version,
        test_accuracy=report.test.accuracy,
        verdict=verdict.state if verdict is not None else "",
        verdict_reason=verdict.reason if verdict is not None else "",
        champion=champion.version if champion is not None else None,
    )
