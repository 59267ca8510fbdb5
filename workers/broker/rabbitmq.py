"""What is different where RabbitMQ carries the tasks: how its queues are declared and counted."""

import threading
import time
from collections.abc import Sequence

import redis
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

from workers.broker.heartbeats import heartbeats
from workers.broker.priorities import STEPS
from workers.broker.queues import Queues

HIGHEST = max(STEPS) + 1
"""The priority that goes first; RabbitMQ's lowest is 0."""

SETTLE_S = 6.0
"""A worker writes every two seconds how many tasks it holds: for so long none may be queued or held."""


def queue_definitions(names: Sequence[str], *, longest_s: int) -> tuple[Queue, ...]:
    """Return the queues as kombu declares them: with priorities, and time for a task that takes `longest_s`."""
    arguments = {
        "x-max-priority": HIGHEST,
        # RabbitMQ closes the channel of a consumer that acknowledges nothing for half an hour; a training takes longer.
        # Read by RabbitMQ 3.12 and later; before, `consumer_timeout` in its own settings does it.
        "x-consumer-timeout": (longest_s + 60) * 1000,
    }
    return tuple(Queue(name, Exchange(name), routing_key=name, queue_arguments=arguments) for name in names)


class RabbitQueues(Queues):
    """The queues of a RabbitMQ; how many messages the workers hold stands in their heartbeats, in the Redis beside."""

    def __init__(self, client: redis.Redis, amqp: str) -> None:
        super().__init__(client)
        self._amqp = amqp
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._busy_s = time.monotonic()

    def queued(self, queues: tuple[str, ...]) -> int:
        """Return how many messages wait or are with a worker; 1 for as long as that is not certain."""
        count = super().queued(queues)
        now_s = time.monotonic()
        if count:
            self._busy_s = now_s
        return count or int(now_s - self._busy_s < SETTLE_S)

    def depths(self, queues: tuple[str, ...]) -> dict[str, int]:
        """Return how many messages wait in each queue. Raises kombu's `OperationalError`."""
        with self._lock:
            if self._connection is None:
                self._connection = Connection(self._amqp, connect_timeout=5.0)
            errors = (*self._connection.connection_errors, *self._connection.channel_errors, OSError)
            try:
                return {queue: self._depth(self._connection, queue) for queue in queues}
            except errors as error:
                self._connection.release()
                self._connection = None
                raise OperationalError(str(error)) from error

    @staticmethod
    def _depth(connection: Connection, queue: str) -> int:
        with connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors as error:
                if getattr(error, "reply_code", 0) == 404:
                    return 0  # no such queue yet: nothing was ever sent there
                raise

    def unacknowledged(self) -> int:
        """Return how many messages the workers that are alive hold, by their last heartbeats."""
        return sum(each.held for each in heartbeats(self._client).values())

    def has_messages(self, queues: tuple[str, ...], run_id: str) -> bool:
        """Return True, since there may be some: RabbitMQ's queues cannot be read without taking from them."""
        return True

    def withdraw(self, queues: tuple[str, ...], run_id: str) -> int:
        """Leave the messages where they are: their tasks return at once, since the run is cancelled."""
        return 0

    def forget_run(self, run_id: str) -> int:
        """Drop nothing: RabbitMQ takes back by itself what a worker held, and delivers it to the next one."""
        return 0

    def forget_unacknowledged(self) -> None:
        """Do nothing: RabbitMQ delivers again at once what a dead worker held."""
