"""Waiting for a run to end: show it, keep its processes alive, and publish again whatever was lost on the way."""

import threading
import time

from pipeline.errors import BrokerError, ChordalError, UsageError
from storage.home import prepare_home
from workers.app.celery import app
from workers.app.context import Context
from workers.app.settings import QUEUES
from workers.broker import health
from workers.broker.health import BROKER_ERRORS
from workers.broker.heartbeats import heartbeats, require_mounted
from workers.broker.probe import BrokerProbe
from workers.processes import signals
from workers.processes.cluster import LocalCluster
from workers.runs import cancel
from workers.runs.monitor import RunMonitor
from workers.runs.publish import Publisher, publish_learning

POLL_S = 0.25
IDLE_POLLS = 8
"""Polls in a row with nothing queued and nothing running before a run counts as stuck and is swept."""
SWEEPS = 6
"""Sweeps in a row that change nothing before a run is given up."""
DEATHS = 10
"""Deaths of processes without any progress between them before a run is given up."""
NO_WORKER_S = 60.0
"""How long a run waits for the first worker on the user's own broker."""
RECONNECT_S = 40.0
"""How long workers may take to find a broker that is back: they try every half minute when it was away for long."""
PROBE_S = 5.0
"""How long nothing may happen before the run probes the broker and the workers for the reason."""
LOST_S = 10.0
"""How long nothing may happen on a broker that is busy before the run looks whether it has a part in that."""
NO_BROKER_S = 3600.0
"""How long a run waits for a broker that went away, or refuses it, until a person has mended that."""
NO_OWN_BROKER_S = 60.0
"""Likewise for an embedded broker, which its guard starts again at once."""

MEND = "start some with `chordal worker --home HOME --broker URL`, or add --workers N to this command"


class RunFailedError(ChordalError):
    """The run could not be brought to its end."""


def wait_for_end(
    context: Context, cluster: LocalCluster, monitor: RunMonitor, publisher: Publisher, probe: BrokerProbe
) -> None:
    """Wait for the end of a run that is being published; `probe` is one of its broker.

    Raises `UsageError` with the reason when the run cannot go on, `BrokerError` when the broker stays away,
    `RunFailedError` when sweeping does not help, `CancelledError` when somebody cancelled the run.
    """
    healer = _Healer(context, cluster, monitor, publisher, probe)
    pause = threading.Event()
    answered_s = time.monotonic()
    run_id = monitor.plan.run_id
    while not monitor.ended:
        signals.check()
        if cancel.is_stop_requested(context, run_id):
            cancel.shut_down(context, run_id, cluster, context.counters, monitor.view)
        try:
            monitor.update()
            healer.update()
            answered_s = time.monotonic()
        except BROKER_ERRORS as error:
            if health.is_full(error):
                raise _full_error(cluster) from error
            if probe.away_s:
                answered_s = time.monotonic()  # the probe says for how long to wait
            elif time.monotonic() - answered_s > NO_OWN_BROKER_S:
                raise _away_error(cluster, NO_OWN_BROKER_S, str(error)) from error
            healer.note_outage()
            healer.restart_dead(broker_only=True)
            prepare_home(str(context.path))  # a server that cannot write refuses every command
        _require_broker(cluster, probe)
        if not monitor.ended:
            pause.wait(POLL_S)
    failure = context.ledger.failure(run_id)
    if failure is not None:
        raise UsageError(failure)


def _require_broker(cluster: LocalCluster, probe: BrokerProbe) -> None:
    """Raise `BrokerError` when the broker was away for long, or has no room for as long as others may need it."""
    limit_s = NO_OWN_BROKER_S if cluster.has_own_broker else NO_BROKER_S
    if probe.is_full and probe.away_s > PROBE_S:
        raise _full_error(cluster)
    if probe.away_s > limit_s:
        raise _away_error(cluster, limit_s, probe.trouble)


def _away_error(cluster: LocalCluster, for_s: float, why: str) -> BrokerError:
    return BrokerError(
        f"broker {cluster.broker.without_password}: away for {for_s:.0f} s ({why}); what is committed is safe, so run "
        "the same command when it is back"
    )


def _full_error(cluster: LocalCluster) -> BrokerError:
    # By others: a run's own tasks are bounded, and none is queued when this comes up.
    return BrokerError(
        f"broker {cluster.broker.without_password}: {health.FULL}; what is committed is safe, so run the same command "
        "then"
    )


class _Healer:
    """Keeps a run going: starts again what died, and sweeps a run that stands still."""

    def __init__(
        self,
        context: Context,
        cluster: LocalCluster,
        monitor: RunMonitor,
        publisher: Publisher,
        probe: BrokerProbe,
    ) -> None:
        self._context = context
        self._cluster = cluster
        self._monitor = monitor
        self._publisher = publisher
        self._broker_probe = probe
        self._run_id = monitor.plan.run_id
        self._progress = (monitor.state, monitor.settled)
        self._changed_s = time.monotonic()
        self._probed_s = time.monotonic()
        self._searched_s = time.monotonic()
        self._held_by_dead = False
        self._idle = 0
        self._sweeps = 0
        self._deaths = 0
        self._outage_s: float | None = None
        """When the broker did not answer last."""
        self._missing = ""
        """Which worker the run waits for, in words, once that was shown."""

    def note_outage(self) -> None:
        """Note that the broker does not answer: nothing that takes time has begun before it does."""
        self._changed_s = self._outage_s = time.monotonic()

    def restart_dead(self, *, broker_only: bool = False) -> None:
        """Start again the processes that died, or the embedded broker alone, and show which and why.

        Workers are not started while the broker is away or refuses: they would only die of it again.
        Raises `RunFailedError` when they keep dying, `UsageError` when they cannot start as they are asked to.
        """
        try:
            dead = self._cluster.heal(broker_only=broker_only or self._broker_probe.away_s > 0)
        except ChordalError as error:
            prepare_home(str(self._context.path))
            kind = UsageError if isinstance(error, UsageError) else RunFailedError
            raise kind(f"run {self._run_id}: {error}") from error
        if not dead:
            return
        # The usual reason why everything dies at once; it raises the line that says so.
        prepare_home(str(self._context.path))
        self._deaths += len(dead)
        if self._deaths > DEATHS:
            raise RunFailedError(
                f"run {self._run_id}: its processes keep dying, the {dead[0].name} process last {dead[0].describe()}"
            )
        self._held_by_dead = True
        if any(death.is_of_broker for death in dead):
            self._broker_probe.probe_soon()
        for death in dead:
            self._monitor.view.warning(f"the {death.name} process died and was started again ({death.reason})")

    def update(self) -> None:
        """Do what the run needs after a poll of its state, which is mostly nothing.

        Raises `UsageError` when a task stopped the run, `RunFailedError` when it is given up.
        """
        if reason := self._context.counters.stop_reason(self._run_id):
            raise UsageError(f"{reason}; what is committed is safe: mend it and run the same command again")
        self.restart_dead()
        if self._broker_probe.trouble:
            self.note_outage()  # it answers, and refuses some of what work does: no worker comes far
            prepare_home(str(self._context.path))  # as one does whose disk, mostly that of the home, is full
            return
        if self._held_by_dead:
            # Not put back before its worker has been silent for some time; the sweep is sooner.
            self._context.queues.forget_unacknowledged()
            self._held_by_dead = False
        progress = (self._monitor.state, self._monitor.settled)
        if self._progress != progress:
            self._progress, self._changed_s, self._sweeps, self._deaths = progress, time.monotonic(), 0, 0
            self._show_missing("")
        elif time.monotonic() - max(self._probed_s, self._changed_s) > PROBE_S:
            self._probed_s = time.monotonic()
            self._probe()
        elif not self._cluster.has_workers:
            self._require_workers()
        busy = self._publisher.is_alive or self._context.queues.queued(QUEUES)
        self._idle = 0 if busy else self._idle + 1
        if self._idle >= IDLE_POLLS or (busy and self._is_lost()):
            self._idle = 0
            self._sweep()

    def _is_lost(self) -> bool:
        """Tell whether the broker is busy with other runs alone: what it had of this one went with a crash."""
        now_s = time.monotonic()
        if self._publisher.is_alive or now_s - max(self._searched_s, self._changed_s) < LOST_S:
            return False
        self._searched_s = now_s
        return not self._context.queues.has_messages(QUEUES, self._run_id)

    def _sweep(self) -> None:
        """Publish again what is missing. Raises `RunFailedError` when that has not helped several times."""
        self._sweeps += 1
        if self._sweeps > SWEEPS:
            troubles = self._context.counters.troubles(self._run_id)
            why = troubles[0] if troubles else "its tasks end without a result"
            logs = self._context.path / "logs"
            raise RunFailedError(f"run {self._run_id}: gave up after {SWEEPS} attempts to mend it ({why}); see {logs}")
        steps = self._monitor.state.missing_steps()
        if any(step.kind == "shard" for step in steps):
            self._publisher.start()
        else:
            publish_learning(self._context, self._monitor.plan, steps)

    def _probe(self) -> None:
        """Raise or show what keeps a run from going on and shows nowhere else.

        It is a full broker, a library that is not mounted, or that there is no worker for what comes next.
        """
        client = self._cluster.broker.client(timeout_s=2.0, retries=0)
        try:
            health.probe(client)
            workers = heartbeats(client)
        finally:
            client.close()
        if not self._monitor.state.all_sealed:
            require_mounted(workers)
        if self._outage_s is not None and time.monotonic() - self._outage_s < RECONNECT_S:
            return
        queue = self._next_queue
        if self._cluster.has_workers or any(queue in each.queues or not each.queues for each in workers.values()):
            self._show_missing("")
        else:
            self._show_missing(f"no worker for {queue} answers" if workers else "no worker answers")

    def _show_missing(self, what: str) -> None:
        """Show once which worker a run waits for, and once that it has come."""
        if what != self._missing:
            line = f"{what}; waiting; {MEND}" if what else "a worker answers; going on"
            self._monitor.view.warning(f"broker {self._cluster.broker.without_password}: {line}")
        self._missing = what

    @property
    def _next_queue(self) -> str:
        """The queue of what comes next in the run."""
        state = self._monitor.state
        if self._monitor.plan.extract and not state.all_sealed:
            return "extract"
        return "tune" if state.trials is None or len(state.ended_trials) < len(state.trials) else "train"

    def _require_workers(self) -> None:
        """Raise `UsageError` when nothing has happened for long and no worker answers on the user's broker."""
        waited_s = time.monotonic() - self._changed_s
        if waited_s > NO_WORKER_S and not app.control.inspect(timeout=2.0).ping():
            raise UsageError(
                f"broker {self._cluster.broker.without_password}: no worker has answered for {waited_s:.0f} s; {MEND}"
            )
