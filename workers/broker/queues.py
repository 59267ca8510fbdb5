"""The queues in a Redis broker: how many messages wait or are with a worker, and how a run's are taken out."""

import base64
import json
from collections.abc import Iterator
from typing import Any, cast

import redis

from workers.broker.priorities import STEPS, queue_key

PAGE = 500
"""Messages read at once."""

UNACKNOWLEDGED = {"unacked": "unacked_index", "unacked-learn": "unacked-learn-index"}
"""Where the messages with workers for files and for learning are kept, and the times at which they were taken."""


class Queues:
    """The messages of all priorities, as kombu's Redis transport keeps them; its errors are redis-py's."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def queued(self, queues: tuple[str, ...]) -> int:
        """Return how many messages wait in the queues or are with a worker, unacknowledged."""
        return sum(self.depths(queues).values()) + self.unacknowledged()

    def depths(self, queues: tuple[str, ...]) -> dict[str, int]:
        """Return how many messages wait in each queue, of all priorities."""
        with self._client.pipeline(transaction=False) as pipe:
            for queue in queues:
                for step in STEPS:
                    pipe.llen(queue_key(queue, step))
            lengths = pipe.execute()
        size = len(STEPS)
        return {queue: sum(lengths[i * size : (i + 1) * size]) for i, queue in enumerate(queues)}

    def unacknowledged(self) -> int:
        """Return how many messages of runs are with a worker."""
        with self._client.pipeline(transaction=False) as pipe:
            for held in UNACKNOWLEDGED:
                pipe.hlen(held)
            return int(sum(pipe.execute()))

    def has_messages(self, queues: tuple[str, ...], run_id: str) -> bool:
        """Return whether any message of a run waits in the queues or is with a worker."""
        with self._client.pipeline(transaction=False) as pipe:
            for held in UNACKNOWLEDGED:
                pipe.hvals(held)
            unacknowledged = [value for values in pipe.execute() for value in values]
        if any(_is_of_run(json.loads(value)[0], run_id) for value in unacknowledged):
            return True
        keys = [queue_key(queue, step) for queue in queues for step in STEPS]
        return any(_is_of_run(json.loads(message), run_id) for key in keys for message in self._messages(key))

    def withdraw(self, queues: tuple[str, ...], run_id: str) -> int:
        """Take a run's waiting messages out of the queues; return how many there were.

        Nobody would do anything for them, but other runs would wait behind them, and under a cap for each of them.
        """
        removed = 0
        for queue in queues:
            for step in STEPS:
                key = queue_key(queue, step)
                own = [message for message in self._messages(key) if _is_of_run(json.loads(message), run_id)]
                for page in range(0, len(own), PAGE):
                    with self._client.pipeline(transaction=False) as pipe:
                        for message in own[page : page + PAGE]:
                            pipe.lrem(key, 1, message)
                        removed += sum(pipe.execute())
        return removed

    def forget_run(self, run_id: str) -> int:
        """Drop the messages of a run that has ended from those with workers; return how many there were.

        A worker that lost its connection has forgotten what it held, and only another one would put it back.
        """
        removed = 0
        for held, index in UNACKNOWLEDGED.items():
            messages = cast("dict[str, str]", self._client.hgetall(held))
            tags = [tag for tag, value in messages.items() if _is_of_run(json.loads(value)[0], run_id)]
            if tags:
                with self._client.pipeline() as pipe:
                    pipe.hdel(held, *tags)
                    pipe.zrem(index, *tags)
                    removed += pipe.execute()[0]
        return removed

    def forget_unacknowledged(self) -> None:
        """Drop the messages a dead worker held; the sweep publishes what is missing."""
        self._client.delete(*UNACKNOWLEDGED, *UNACKNOWLEDGED.values())

    def _messages(self, key: str) -> Iterator[str]:
        for start in range(0, self._client.llen(key), PAGE):
            yield from cast("list[str]", self._client.lrange(key, start, start + PAGE - 1))


def _is_of_run(message: dict[str, Any], run_id: str) -> bool:
    """Return whether a message, as kombu keeps it, is a task of a run; every task has its run's id in its arguments."""
    return run_id.encode("ascii") in base64.b64decode(message["body"])
