"""Ending a run early, by `chordal cancel` or Ctrl-C: what is done is kept, the files at hand are finished."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.errors import CancelledError, StoreError
from storage import RunLedger
from storage.home import Home
from workers.app.context import queues_of
from workers.app.settings import QUEUES
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.broker.health import BROKER_ERRORS
from workers.broker.queues import Queues
from workers.processes import signals
from workers.processes.cluster import LocalCluster
from workers.runs.progress import View
from workers.runs.state import CANCELLED, STOPPED, RunState

FINISH_S = 60.0
"""How long the workers may take to finish the files at hand."""

POLL_S = 0.1


def cancel(home: Home, run_id: str, broker: BrokerAddress | None) -> None:
    """Cancel a run: the command that waits for it reads the ledger, its tasks read the broker's counters."""
    home.ledger.claim(run_id, CANCELLED)
    if broker is None:
        return
    # The waiting command, if there is one, does the same as soon as it reads the ledger.
    client = broker.client(timeout_s=3.0, retries=1)
    with suppress(*BROKER_ERRORS):
        withdraw_tasks(Counters(client), queues_of(broker, client), run_id)


def withdraw_tasks(counters: Counters, queues: Queues, run_id: str) -> None:
    """Take a run's tasks out of the queues, and let those that workers have already return at once."""
    counters.cancel(run_id)
    queues.withdraw(QUEUES, run_id)


def is_cancelled(home: Home, run_id: str) -> bool:
    """Tell whether somebody cancelled a run."""
    return home.ledger.claim_of(run_id, CANCELLED) is not None


def require_not_cancelled(home: Home, run_id: str) -> None:
    """Raise `CancelledError` if somebody cancelled the run."""
    if is_cancelled(home, run_id):
        raise CancelledError(
            f"run {run_id}: cancelled; what was finished is kept, and the same command goes on from there"
        )


def is_stop_requested(home: Home, run_id: str) -> bool:
    """Tell whether the run has to end early, by a signal or by `chordal cancel`."""
    return signals.stop_requested() or is_cancelled(home, run_id)


def shut_down(home: Home, run_id: str, cluster: LocalCluster, counters: Counters, view: View) -> None:
    """Let this run's workers finish the files at hand, then end the command.

    Raises `CancelledError` when the run was cancelled, `KeyboardInterrupt` when a signal asked to stop.
    """
    with suppress(*BROKER_ERRORS):
        counters.cancel(run_id)
    if signals.stop_requested():
        view.line("stopping: the files at hand are finished, what is done is kept; press Ctrl-C again to stop at once")
    cluster.finish()
    pause = threading.Event()
    deadline = time.monotonic() + FINISH_S
    while cluster.has_live_workers and time.monotonic() < deadline:
        signals.check()
        pause.wait(POLL_S)
    require_not_cancelled(home, run_id)
    signals.stop()


@contextmanager
def claim_when_stopped(ledger: RunLedger, run_id: str) -> Iterator[None]:
    """Write in the ledger that a run's command ended before the run did: then nobody takes it up again."""
    try:
        yield
    except BaseException:
        with suppress(StoreError):
            ledger.claim(run_id, STOPPED)
        raise


@contextmanager
def interrupt_after_end(home: Home, run_id: str) -> Iterator[None]:
    """Say of a signal that came when a run had ended that nothing is left to go on with.

    Raises `CancelledError` in place of `KeyboardInterrupt` then, unless another recipe follows by the same command.
    """
    try:
        yield
    except KeyboardInterrupt:
        with suppress(StoreError):
            state = RunState.read(home, run_id)
            if not state.plan.recipe.then and (state.has_page or (not state.plan.learn and state.stage == "finished")):
                raise CancelledError(f"stopped; run {run_id} was complete, and nothing of it is lost") from None
        raise
