"""What `chordal status` shows of a run: its state in the ledger, and the live view while it goes on."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.cli.tables import console, facts_table
from workers.runs.active import active_runs
from workers.runs.state import ENDS, RunState

if TYPE_CHECKING:
    from workers.cli.inspect.live import Live

EVERY_S = 1.0

StateFacts = Callable[[RunState], list[tuple[str, str]]]
"""Returns the state of a run as names and words."""


def live_run(state: RunState, broker: str | None) -> "Live | None":
    """Return the live view of a run that has not ended; None when no broker is known or it does not answer."""
    if state.stage in ENDS:
        return None
    address = BrokerAddress.parse(broker) if broker else _broker_of(state)
    if address is None:
        return None
    from workers.cli.inspect.live import read_live  # with redis and kombu, which a run that has ended needs not

    return read_live(state, address)


def show_run(home: Home, run_id: str, broker: str | None, state_facts: StateFacts, *, watch: bool) -> None:
    """Print the state of a run and its live view; with `watch`, again and again until either ends, or Ctrl-C."""
    if not watch:
        state = RunState.read(home, run_id)
        console().print(facts_table(_rows(state_facts(state), live_run(state, broker))))
        return
    from rich.live import Live as Screen

    pause = threading.Event()
    with Screen(console=console(), auto_refresh=False) as screen, suppress(KeyboardInterrupt):
        while True:
            state = RunState.read(home, run_id)
            live = live_run(state, broker)
            screen.update(facts_table(_rows(state_facts(state), live)), refresh=True)
            if live is None:
                return
            pause.wait(EVERY_S)


def _rows(state_facts: list[tuple[str, str]], live: "Live | None") -> list[tuple[str, str]]:
    if live is None:
        return state_facts
    from workers.cli.inspect.live import live_facts  # as above

    return state_facts + live_facts(live)


def _broker_of(state: RunState) -> BrokerAddress | None:
    return next((each.broker for each in active_runs(state.home) if each.run_id == state.plan.run_id), None)
