"""Messages whose worker fell silent: put back into their queues by any worker of the same kind that is alive.

A Redis knows which messages are with workers, but not with which. Celery delivers one again after a time, which must
be longer than the longest task, hours for a training, and is measured by the clocks of all hosts, which may be wrong.
So every worker claims what it holds every few seconds, and what nobody claims is put back within some more, whether
its worker was killed, lost its connection, or lost the message. A task that runs twice for that counts once.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import redis
from celery.worker import state

from pipeline.versions import own_version
from workers.app import context
from workers.broker.heartbeats import SILENT_S, heartbeats
from workers.worker.periodic import PeriodicStep

CLAIMS = "chordal:claims"

CLAIM_MS = int(SILENT_S * 1000)
"""How long a claim holds: as long as its worker counts as alive."""

SETTLE_S = 6.0
"""How long nobody must have claimed a message: one that was just taken is claimed two seconds later at most."""

# By the broker's clock, in ms. A claim that ends later than one that is made now is of before that was set back.
_CLAIM = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. ends, '+inf')
local unclaimed = {}
for _, tag in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not redis.call('ZSCORE', KEYS[1], tag) then table.insert(unclaimed, tag) end
end
return unclaimed
"""

log = logging.getLogger(__name__)


def held_tags() -> tuple[str, ...]:
    """Return the messages that this worker works on or will, by the tags that the broker's client gave them.

    The consumer drops what it has taken when it loses its connection, but for what is worked on.
    """
    requests = {*state.reserved_requests, *state.active_requests, *state.scheduled_requests}
    return tuple(sorted(request.message.delivery_tag for request in requests))


class AbandonedMessages:
    """What one worker knows of messages that nobody claims."""

    def __init__(self, client: redis.Redis, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._script = client.register_script(_CLAIM)
        self._now_s = now_s
        self._since_s: dict[str, float] = {}

    def claim(self, tags: Iterable[str], unacked_key: str) -> list[str]:
        """Claim what this worker holds; return those of the messages with workers that nobody claims for some time.

        None while a worker of another version is alive: it may hold messages that it does not claim. Raises redis-py's
        errors.
        """
        unclaimed = cast("list[str]", self._script(keys=[CLAIMS, unacked_key], args=[CLAIM_MS, *tags]))
        now_s = self._now_s()
        self._since_s = {tag: self._since_s.get(tag, now_s) for tag in unclaimed}
        abandoned = [tag for tag, since_s in self._since_s.items() if now_s - since_s >= SETTLE_S]
        if abandoned and any(each.version != own_version() for each in heartbeats(self._client).values()):
            return []
        return abandoned


class Redelivery(PeriodicStep):
    """The part of a worker that claims its messages, and puts back those of workers that fell silent."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._messages = AbandonedMessages(self.client)

    def include_if(self, consumer: Any) -> bool:
        """Not with RabbitMQ, which knows by itself which worker holds what."""
        return context.current().settings.broker.amqp is None

    def act(self, consumer: Any) -> None:
        """Claim what this worker holds, and put back what was abandoned."""
        channel = consumer.task_consumer.channel
        try:
            for tag in self._messages.claim(held_tags(), channel.unacked_key):
                log.warning("message %s is with no worker any more, and is put back", tag)
                # Unless it was acknowledged or put back meanwhile; to the front of its queue.
                channel.qos.restore_by_tag(tag)
        except redis.RedisError:
            return  # tried again soon
