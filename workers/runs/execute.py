"""A run from the command's side: plan it, scan, publish, wait, heal, and sum up."""

import gc
from contextlib import nullcontext, suppress
from pathlib import Path

import redis

from pipeline.library import scan_summary
from pipeline.plans.run import RunPlan
from storage.home import Doors
from workers.app.celery import configure
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.processes import signals
from workers.processes.cluster import Session, session
from workers.runs import cancel, state
from workers.runs.active import announced
from workers.runs.cancel import _told_when_stopped
from workers.runs.monitor import Watcher
from workers.runs.progress import View
from workers.runs.publish import Publisher
from workers.runs.request import Finished, Wanted
from workers.runs.scan import scan_libraries
from workers.runs.wait import wait_for_end


def execute(home: Path, wanted: Wanted, view: View) -> Finished:
    """Carry out what was asked, from the scan to the report.

    Raises `UsageError` for what cannot be done, `RunFailedError` for a run that broke. However it ends, what was
    started is taken down, and what was committed stays.
    """
    if wanted.broker is not None:
        health.require(wanted.broker)
        health.require_same_version(wanted.broker)
    # Before anything is started: a mistake in the labels is told at once.
    context = Doors(home)
    finished = scan_libraries(context, wanted, view)
    if _nothing_to_do(context, finished.plan):
        view.stage("extract", total=finished.found.files)
        view.finish("extract", finished.found.files, note=state.told(state.track_counts(context, finished.plan)))
    else:
        follow(home, finished, view, broker=wanted.broker, workers=wanted.workers)
    return finished


def _nothing_to_do(context: Doors, plan: RunPlan) -> bool:
    """Tell whether a scanned run is over already, so that nothing has to be started for it."""
    return not plan.learn and len(context.ledger.sealed_shards(plan.run_id)) == context.ledger.shard_count(plan.run_id)


def adopt(home: Path, run_id: str, view: View, *, broker: BrokerAddress) -> Finished:
    """Bring a scanned run whose command died to its end. Raises as `execute` does."""
    ledger = Doors(home).ledger
    shards = ledger.shards(run_id)
    files = sum(len(ledger.shard(run_id, shard)) for shard in shards)
    found = scan_summary.ScanSummary(files=files, bytes=0, shards=len(shards), labels={})
    finished = Finished(plan=ledger.plan(run_id), found=found)
    follow(home, finished, view, broker=broker, workers=None)
    return finished


def follow(
    home: Path,
    finished: Finished,
    view: View,
    *,
    broker: BrokerAddress | None,
    workers: int | None,
    within: Session | None = None,
) -> None:
    """Publish a scanned run and wait for its end, `within` a session if there is one. Raises as `execute` does."""
    plan = finished.plan
    run_id = plan.run_id
    # A worker that finds nothing to do costs seconds of CPU and the memory of a pool.
    roles = [role for role, needed in (("extract", plan.extract), ("learn", plan.learn)) if needed]
    with (
        _told_when_stopped(Doors(home).ledger, run_id),
        announced(home, run_id) as announcement,
        session(home, broker, workers, roles=roles) if within is None else nullcontext(within) as running,
    ):
        announcement.reached_by(running.broker)
        context = _client(home, running)
        publisher = Publisher(context, plan)
        try:
            publisher.start()
            watcher = Watcher(context, plan, finished.found, view)
            with signals.patiently() if view.is_live else nullcontext():
                wait_for_end(context, running, watcher, publisher)
        except BaseException:
            with suppress(redis.RedisError):
                context.counters.cancel(run_id)
            publisher.stop()
            with suppress(redis.RedisError):
                cancel.take_back(context.counters, run_id)
            raise
        finally:
            publisher.stop()
            # Results that Celery still holds ask the broker to forget them when they go: before it does.
            gc.collect()


def _client(home: Path, running: Session) -> Context:
    from workers.app import context

    configure(Settings(home=str(home), broker=running.broker), "client")
    return context.current()
