"""Kombu's Redis transport, with one client per channel.

Kombu makes a new client for each command it sends outside its event loop, which copies a table of some hundred
callbacks each time: a tenth of the work of a worker's main process for a message.
"""

from typing import Any

import redis
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis


class Channel(kombu_redis.Channel):
    """A channel that keeps its client for as long as it keeps its pool of connections."""

    _client_of_pool: redis.Redis | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return kombu_redis.Channel._create_client(self, asynchronous=True)
        if self._client_of_pool is None or self._client_of_pool.connection_pool is not self.pool:
            self._client_of_pool = kombu_redis.Channel._create_client(self)
        return self._client_of_pool


class Transport(kombu_redis.Transport):
    """The transport of `redis://` and `rediss://`."""

    Channel = Channel


def install() -> None:
    """Let kombu's connections to Redis use it."""
    name = f"{Transport.__module__}:{Transport.__name__}"
    TRANSPORT_ALIASES.update({"redis": name, "rediss": name})
