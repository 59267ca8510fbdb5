"""What every task of a process works with, opened on first use: the store, the ledger, the registry, the counters."""

from functools import cached_property
from pathlib import Path

from storage.home import Home
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.broker.rabbitmq import RabbitCounters


class Context(Home):
    """The doors of a process that works for a broker; in a child they open after the fork."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(Path(settings.home))
        self.settings = settings

    @cached_property
    def counters(self) -> Counters:
        """Attempts, progress and cancellation, in the broker."""
        return counters_of(self.settings.broker)


def counters_of(broker: BrokerAddress, *, timeout_s: float = 5.0, retries: int = 3) -> Counters:
    """Return the counters of a broker; a command gives up after `retries` and `timeout_s`."""
    client = broker.client(timeout_s=timeout_s, retries=retries)
    return Counters(client) if broker.amqp is None else RabbitCounters(client, broker.amqp)


_process: list[Context] = []


def use(settings: Settings) -> Context:
    """Make these settings the process's own."""
    _process[:] = [Context(settings)]
    return _process[0]


def forget() -> None:
    """Drop everything opened so far, keeping the settings; called in a child after the fork."""
    if _process:
        use(_process[0].settings)


def current() -> Context:
    """Return the process's context."""
    return _process[0]
