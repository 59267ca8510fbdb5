"""The heartbeat that a worker writes every two seconds."""

from typing import Any

import redis

from pipeline.versions import own_version
from workers.broker.heartbeats import KEPT_S, Heartbeat, WorkerList
from workers.worker.admission import FILES, MOUNTS
from workers.worker.periodic import PeriodicStep
from workers.worker.redelivery import held_tags
from workers.worker.throttle import Throttle


class HeartbeatWriter(PeriodicStep):
    """The part of a worker that writes its heartbeat."""

    requires = (Throttle,)

    def act(self, consumer: Any) -> None:
        """Write a heartbeat."""
        throttle: Throttle = consumer.throttle
        heartbeat = Heartbeat(
            version=own_version(),
            held=len(held_tags()),
            extracts=FILES in throttle.queues,
            unseen=MOUNTS.missing,
            host=consumer.hostname.rpartition("@")[2],
            processes=consumer.pool.num_processes,
            queues=throttle.queues,
            doing=throttle.doing,
            nice=throttle.nice,
            kept_s=KEPT_S,
        )
        try:
            WorkerList(self.client).write(consumer.hostname, heartbeat)
        except redis.RedisError:
            return  # the next one is soon

    def shutdown(self, consumer: Any) -> None:
        """Leave the list of workers."""
        super().shutdown(consumer)
        try:
            WorkerList(self.client).remove(consumer.hostname)
        except redis.RedisError:
            return  # it is silent from now on, which shows as well
