"""Kombu's Redis transport, with one client per channel.

Kombu makes a new client for each command it sends outside its event loop, which copies a table of some hundred
callbacks each time: a tenth of what a worker's main process does for a message.
"""

from typing import Any

import redis
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis


class Channel(kombu_redis.Channel):
    """A channel that keeps its client for as long as it keeps its pool of connections."""

    _kept: redis.Redis | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return kombu_redis.Channel._create_client(self, asynchronous=True)
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = kombu_redis.Channel._create_client(self)
        return self._kept


class Transport(kombu_redis.Transport):
    """The transport of `redis://` and `rediss://`."""

    Channel = Channel


def install() -> None:
    """Let connections to Redis use it."""
    name = f"{Transport.__module__}:{Transport.__name__}"
    TRANSPORT_ALIASES.update({"redis": name, "rediss": name})
