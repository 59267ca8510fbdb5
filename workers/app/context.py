"""What every task of a process works with, opened on first use: the home, the counters, the queues."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path

import redis

from pipeline.plans.run import RunPlan
from storage.home import Home
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.broker.queues import Queues
from workers.broker.rabbitmq import RabbitQueues


class Context(Home):
    """A home and the broker that a process works for; in a child both are opened after the fork."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(Path(settings.home))
        self.settings = settings

    @cached_property
    def plan(self) -> Callable[[str], RunPlan]:
        """The plan of a run by its id, read once. Raises `UsageError` when there is no such run."""
        return lru_cache(maxsize=8)(self.ledger.plan)

    @cached_property
    def counters(self) -> Counters:
        """Attempts, progress and cancellation, in the broker."""
        return Counters(self._client)

    @cached_property
    def queues(self) -> Queues:
        """What waits in the broker's queues, and what is with a worker."""
        return queues_of(self.settings.broker, self._client)

    @cached_property
    def _client(self) -> redis.Redis:
        return self.settings.broker.client()


def queues_of(broker: BrokerAddress, client: redis.Redis) -> Queues:
    """Return the queues of a broker, by a client of its Redis or Valkey."""
    return Queues(client) if broker.amqp is None else RabbitQueues(client, broker.amqp)


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
