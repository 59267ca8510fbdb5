"""A run from the command's side: plan it, scan, publish, wait, heal, and sum up."""

import gc
from contextlib import nullcontext, suppress
from pathlib import Path

from pipeline.library import scan_summary
from storage.home import Home
from workers.app.celery import configure
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.broker.health import BROKER_ERRORS
from workers.processes import signals
from workers.processes.cluster import LocalCluster, local_cluster
from workers.runs import cancel
from workers.runs.active import announce
from workers.runs.cancel import claim_when_stopped
from workers.runs.monitor import RunMonitor
from workers.runs.progress import View
from workers.runs.publish import Publisher
from workers.runs.request import RunRequest, ScannedRun
from workers.runs.scan import scan_libraries
from workers.runs.state import RunState, describe_counts
from workers.runs.wait import wait_for_end


def execute(home: Path, wanted: RunRequest, view: View) -> ScannedRun:
    """Carry out what was asked, from the scan to the report.

    Raises `UsageError` for what cannot be done, `RunFailedError` for a run that broke. However it ends, what was
    started is taken down, and what was committed stays.
    """
    if wanted.broker is not None:
        health.require(wanted.broker)
        health.require_same_version(wanted.broker)
    # Before anything is started: a mistake in the labels is told at once.
    context = Home(home)
    finished = scan_libraries(context, wanted, view)
    state = RunState.read(context, finished.plan.run_id)
    if state.all_sealed and not finished.plan.learn:
        # Nothing has to be started for it.
        view.stage("extract", total=finished.found.files)
        view.finish("extract", finished.found.files, note=describe_counts(state.tracks))
    else:
        follow(home, finished, view, broker=wanted.broker, workers=wanted.workers)
    return finished


def adopt(home: Path, run_id: str, view: View, *, broker: BrokerAddress) -> ScannedRun:
    """Bring a scanned run whose command died to its end. Raises as `execute` does."""
    ledger = Home(home).ledger
    shards = ledger.shards(run_id)
    files = sum(len(ledger.shard(run_id, shard)) for shard in shards)
    found = scan_summary.ScanSummary(files=files, bytes=0, shards=len(shards), labels={})
    finished = ScannedRun(plan=ledger.plan(run_id), found=found)
    follow(home, finished, view, broker=broker, workers=None)
    return finished


def follow(
    home: Path,
    finished: ScannedRun,
    view: View,
    *,
    broker: BrokerAddress | None,
    workers: int | None,
    within: LocalCluster | None = None,
) -> None:
    """Publish a scanned run and wait for its end, `within` a session if there is one. Raises as `execute` does."""
    plan = finished.plan
    run_id = plan.run_id
    # A worker that finds nothing to do costs seconds of CPU and the memory of a pool.
    roles = [role for role, needed in (("extract", plan.extract), ("learn", plan.learn)) if needed]
    with (
        claim_when_stopped(Home(home).ledger, run_id),
        announce(home, run_id) as announcement,
        local_cluster(home, broker, workers, roles=roles) if within is None else nullcontext(within) as running,
    ):
        announcement.reached_by(running.broker)
        context = _client(home, running)
        publisher = Publisher(context, plan)
        try:
            publisher.start()
            watcher = RunMonitor(context, plan, finished.found, view)
            with signals.first_interrupt_asks() if view.is_live else nullcontext():
                wait_for_end(context, running, watcher, publisher)
        except BaseException:
            with suppress(*BROKER_ERRORS):
                context.counters.cancel(run_id)
            publisher.stop()
            with suppress(*BROKER_ERRORS):
                cancel.take_back(context.counters, run_id)
            raise
        finally:
            publisher.stop()
            # Results that Celery still holds ask the broker to forget them when they go: before it does.
            gc.collect()


def _client(home: Path, running: LocalCluster) -> Context:
    from workers.app import context

    configure(Settings(home=str(home), broker=running.broker), "client")
    return context.current()
