"""What the broker says: counts of files, queues, workers, its memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

from pipeline.errors import FailureKind
from workers.app.context import queues_of
from workers.app.settings import QUEUES, SCHEDULE
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.broker.counters import FAILED, OUTCOMES, Counters
from workers.broker.health import BROKER_ERRORS
from workers.broker.heartbeats import WorkerList
from workers.broker.rights import try_work
from workers.service.figures import Figure, Samples

LIMIT_S = 2.0
"""How long the Redis or Valkey may take to answer, and the RabbitMQ."""


class BrokerFigures:
    """The figures that are lost with the broker."""

    def __init__(self, broker: BrokerAddress) -> None:
        self._client = broker.client(timeout_s=LIMIT_S, retries=0)
        self.counters = Counters(self._client)
        self._queues = queues_of(broker, self._client)
        self.has_rabbitmq = broker.amqp is not None
        self._asking = ThreadPoolExecutor(1)

    def silence(self) -> str | None:
        """Return why the broker does not answer, None when it does; asked first, as each figure would wait in vain."""
        try:
            self._client.ping()
        except (*BROKER_ERRORS, OSError) as error:
            return f"the broker does not answer: {error}"
        return None

    def is_usable(self) -> bool:
        """Return whether the broker does all that work does; a full one, or one that refuses some, answers figures."""
        try:
            try_work(self._client, carries_tasks=not self.has_rabbitmq)
        except (*BROKER_ERRORS, OSError):
            return False
        return True

    def all(self) -> list[Figure]:
        """Return each figure, unread."""
        return [
            ("broker", "tracks", self._tracks),
            ("broker", "broker_memory", self._memory),
            ("broker", "workers", self._workers),
            ("broker", "tasks_unacknowledged", self._unacknowledged),
            ("broker", "queue_depth", self._depths),
        ]

    def _tracks(self) -> Iterator[tuple[str, Samples]]:
        totals = self.counters.totals()
        yield "tracks", [({"outcome": name}, totals.get(name, 0)) for name in OUTCOMES]
        yield "track_failures", [({"kind": kind}, totals.get(FAILED + kind, 0)) for kind in get_args(FailureKind)]
        yield "audio_seconds", [({}, totals.get("extracted_audio_s", 0))]

    def _memory(self) -> Iterator[tuple[str, Samples]]:
        memory = health.memory(self._client)
        if "used_memory" in memory:
            yield "broker_memory_bytes", [({}, memory["used_memory"])]
        if limit := memory.get("maxmemory", 0):
            yield "broker_memory_limit_bytes", [({}, limit)]

    def _workers(self) -> Iterator[tuple[str, Samples]]:
        workers = WorkerList(self._client).workers()
        alive = [each.heartbeat for each in workers if each.alive]
        counts = {queue: sum(queue in each.queues for each in alive) for queue in (*QUEUES, SCHEDULE)}
        yield "queue_workers", [({"queue": queue}, count) for queue, count in counts.items()]
        yield "worker_up", [({"worker": each.name}, each.alive) for each in workers]

    def _unacknowledged(self) -> Iterator[tuple[str, Samples]]:
        yield "tasks_unacknowledged", [({}, self._queues.unacknowledged())]

    def _depths(self) -> Iterator[tuple[str, Samples]]:
        # RabbitMQ's client tries for longer than Prometheus waits for a page.
        depths = self._asking.submit(self._queues.depths, (*QUEUES, SCHEDULE)).result(LIMIT_S)
        yield "queue_depth", [({"queue": name}, depth) for name, depth in depths.items()]
