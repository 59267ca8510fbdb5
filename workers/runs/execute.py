"""A run from its request to its end: scan, publish, wait, and take down whatever was started for it."""

import gc
from contextlib import AbstractContextManager, nullcontext, suppress

from pipeline.library.scan_summary import ScanSummary
from storage.home import Home
from workers.app.celery import configure
from workers.app.context import Context, current
from workers.app.settings import Settings
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.broker.health import BROKER_ERRORS
from workers.broker.probe import BrokerProbe
from workers.processes import signals
from workers.processes.cluster import LocalCluster, local_cluster
from workers.processes.kernel_notice import kernel_notice
from workers.runs.active import announce
from workers.runs.cancel import claim_when_stopped, interrupt_after_end, withdraw_tasks
from workers.runs.monitor import RunMonitor
from workers.runs.progress import View
from workers.runs.publish import Publisher
from workers.runs.request import RunRequest, ScannedRun
from workers.runs.scan import scan_libraries
from workers.runs.state import RunState, describe_counts
from workers.runs.wait import wait_for_end


def execute(home: Home, request: RunRequest, view: View) -> ScannedRun:
    """Carry out a request, from the scan to the report.

    Raises `UsageError` for what cannot be done, `RunFailedError` for a run that broke. However it ends, what was
    started is taken down, and what was committed stays.
    """
    require_broker(request)
    # Before anything is started: a mistake in the labels is reported at once.
    scanned = scan_libraries(home, request, view)
    state = RunState.read(home, scanned.plan.run_id)
    if state.all_sealed and not scanned.plan.learn:  # everything was stored before, so nothing has to be started
        view.stage("extract", total=scanned.found.files)
        view.finish("extract", scanned.found.files, note=describe_counts(state.tracks))
    else:
        follow(home, scanned, view, broker=request.broker, workers=request.workers)
    return scanned


def require_broker(request: RunRequest) -> None:
    """Make sure that the broker of a request, if it names one, answers and its workers are of this version.

    Raises `BrokerError`, or `UsageError` for another version.
    """
    if request.broker is not None:
        health.require_for_run(request.broker)


def adopt(home: Home, run_id: str, view: View, *, broker: BrokerAddress) -> ScannedRun:
    """Bring a scanned run whose command died to its end. Raises as `execute` does."""
    health.require_for_run(broker)
    state = RunState.read(home, run_id)
    found = ScanSummary(files=state.files, bytes=0, shards=state.shards_written, labels={})
    scanned = ScannedRun(plan=state.plan, found=found)
    follow(home, scanned, view, broker=broker, workers=None)
    return scanned


def follow(
    home: Home,
    scanned: ScannedRun,
    view: View,
    *,
    broker: BrokerAddress | None,
    workers: int | None,
    cluster: LocalCluster | None = None,
) -> None:
    """Publish a scanned run and wait for its end, with the processes of a `cluster` or, without one, with its own.

    The broker has been checked before. Raises as `execute` does.
    """
    plan = scanned.plan
    run_id = plan.run_id
    own = _own_cluster(home, scanned, broker, workers) if cluster is None else nullcontext(cluster)
    with (
        interrupt_after_end(home, run_id),
        claim_when_stopped(home.ledger, run_id),
        announce(home, run_id) as announcement,
        kernel_notice(home.path, view.line) if cluster is None else nullcontext(),
        own as running,
    ):
        announcement.set_broker(running.broker)
        context = _client(home, running)
        publisher = Publisher(context, plan)
        try:
            publisher.start()
            monitor = RunMonitor(context, plan, scanned.found, view)
            with (
                signals.first_interrupt_asks() if view.is_live else nullcontext(),
                BrokerProbe(running.broker, view.warning) as probe,
            ):
                wait_for_end(context, running, monitor, publisher, probe)
        except BaseException:
            with suppress(*BROKER_ERRORS):
                context.counters.cancel(run_id)
            publisher.stop()
            with suppress(*BROKER_ERRORS):
                withdraw_tasks(context.counters, context.queues, run_id)
            raise
        finally:
            publisher.stop()
            # Results that Celery still holds ask the broker to forget them when they go: before it does.
            gc.collect()
    if broker is not None and workers:  # its own workers are gone, the broker stays
        with suppress(*BROKER_ERRORS):
            context.queues.forget_run(run_id)


def _own_cluster(
    home: Home, scanned: ScannedRun, broker: BrokerAddress | None, workers: int | None
) -> AbstractContextManager[LocalCluster]:
    """Return a cluster with what one run needs, to be started."""
    plan = scanned.plan
    # A worker that finds nothing to do costs seconds of CPU and the memory of a pool.
    roles = [role for role, needed in (("extract", plan.extract), ("learn", plan.learn)) if needed]
    families, files = plan.recipe.families, scanned.found.files
    return local_cluster(home.path, broker, workers, roles=roles, families=families, files=files)


def _client(home: Home, cluster: LocalCluster) -> Context:
    """Make this process a client of the cluster's broker, and return its context."""
    configure(Settings(home=str(home.path), broker=cluster.broker), "client")
    return current()
