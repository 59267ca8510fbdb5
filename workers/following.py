"""`chordal status` while a run goes on: what the ledger tells, and below it what the broker tells."""

import threading
from collections.abc import Callable
from contextlib import suppress

from rich.live import Live as Screen

from workers import going, live, stages
from workers.address import BrokerAddress
from workers.context import Doors
from workers.live import Live, wire
from workers.tables import console, facts_table

__all__ = ["look", "show", "wire"]

EVERY_S = 1.0

Facts = Callable[[], list[tuple[str, str]]]


def look(context: Doors, run_id: str, broker: str | None) -> Live | None:
    """Return what goes on in a run that has not ended; None when no broker tells."""
    if stages.current(context, run_id) in stages.ENDS:
        return None
    address = BrokerAddress.parse(broker) if broker else _broker_of(context, run_id)
    return live.of_run(context, context.ledger.plan(run_id), address) if address is not None else None


def show(context: Doors, run_id: str, broker: str | None, facts: Facts, *, watch: bool) -> None:
    """Print the facts of a run and what goes on; with `watch`, again and again until either ends, or Ctrl-C."""
    if not watch:
        console().print(facts_table(_rows(facts, look(context, run_id, broker))))
        return
    pause = threading.Event()
    with Screen(console=console(), auto_refresh=False) as screen, suppress(KeyboardInterrupt):
        while True:
            found = look(context, run_id, broker)
            screen.update(facts_table(_rows(facts, found)), refresh=True)
            if found is None:
                return
            pause.wait(EVERY_S)


def _rows(facts: Facts, found: Live | None) -> list[tuple[str, str]]:
    return facts() + (live.facts(found) if found is not None else [])


def _broker_of(context: Doors, run_id: str) -> BrokerAddress | None:
    return next((each.broker for each in going.going(context.home) if each.run_id == run_id), None)
