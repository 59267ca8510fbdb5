"""Ending a run before its time, by `chordal cancel` or Ctrl-C: what is done is kept, what is at hand is finished."""

import threading
import time
from contextlib import suppress

import redis

from pipeline.errors import CancelledError
from workers import interrupts
from workers.address import BrokerAddress
from workers.context import Doors, counters_of
from workers.counters import Counters
from workers.progress import View
from workers.session import Session
from workers.settings import QUEUES

CANCELLED = "cancelled"
"""The claim in the ledger of whoever cancelled a run."""

AT_HAND_S = 60.0
"""How long the files at hand may take still."""
POLL_S = 0.1


def cancel(context: Doors, run_id: str, broker: BrokerAddress | None) -> None:
    """Ask a run to end: the command that waits for it reads the ledger, its tasks ask the broker."""
    context.ledger.claim(run_id, CANCELLED)
    if broker is None:
        return
    # The waiting command, if there is one, does the same as soon as it reads the ledger.
    with suppress(redis.RedisError):
        take_back(counters_of(broker, timeout_s=3.0, retries=1), run_id)


def take_back(counters: Counters, run_id: str) -> None:
    """Take a run's tasks out of the queues, and let those that workers hold already return at once."""
    counters.cancel(run_id)
    counters.withdraw(QUEUES, run_id)


def is_cancelled(context: Doors, run_id: str) -> bool:
    """Tell whether somebody cancelled a run."""
    return context.ledger.claimed(run_id, CANCELLED) is not None


def check(context: Doors, run_id: str) -> None:
    """Raise `CancelledError` if somebody cancelled the run."""
    if is_cancelled(context, run_id):
        raise CancelledError(
            f"run {run_id}: cancelled; what was finished is kept, and the same command goes on from there"
        )


def is_wished(context: Doors, run_id: str) -> bool:
    """Tell whether somebody wants the run to end, by whatever means."""
    return interrupts.wished() or is_cancelled(context, run_id)


def wind_down(context: Doors, run_id: str, running: Session, counters: Counters, view: View) -> None:
    """Let this run's workers finish the files at hand, then raise what ends the command."""
    with suppress(redis.RedisError):
        counters.cancel(run_id)
    if interrupts.wished():
        view.line("stopping: the files at hand are finished, what is done is kept; press Ctrl-C again to stop at once")
    running.finish()
    pause = threading.Event()
    deadline = time.monotonic() + AT_HAND_S
    while running.finishing and time.monotonic() < deadline:
        interrupts.check()
        pause.wait(POLL_S)
    check(context, run_id)
    interrupts.stop()
