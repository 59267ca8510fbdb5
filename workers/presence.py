"""Who works for a broker, told by the workers themselves every few seconds; for the eye only.

Asking all workers by Celery's remote control takes as long as one waits for answers, and does not hear from those that
died. What a worker says of itself is read at once, and its silence shows.
"""

from typing import cast

import msgspec
import redis

from pipeline.errors import UsageError
from pipeline.wire import Value

NAMES = "chordal:workers"
TOLD_MS = 3_600_000
"""How long a worker that fell silent is still shown."""
SILENT_S = 15.0
"""Seconds of silence after which a worker counts as gone."""


class Presence(Value, frozen=True, kw_only=True):
    """What a worker tells about itself."""

    name: str
    """As Celery and Flower name it, `extract@host`."""
    host: str
    processes: int
    queues: tuple[str, ...]
    doing: str = "working"
    """`working`, or why it takes nothing new."""
    nice: int = 0
    silent_s: float = 0.0
    """Since it last told."""

    @property
    def alive(self) -> bool:
        """Whether it was heard of lately."""
        return self.silent_s < SILENT_S


class Crew:
    """The workers of a broker; silence is measured by the broker, so that clocks need not agree."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def tell(self, presence: Presence) -> None:
        """Say that a worker is there."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.sadd(NAMES, presence.name)
            pipe.set(_key(presence.name), msgspec.json.encode(presence), px=TOLD_MS)
            pipe.execute()

    def leave(self, name: str) -> None:
        """Say that a worker ends."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.srem(NAMES, name)
            pipe.delete(_key(name))
            pipe.execute()

    def workers(self) -> list[Presence]:
        """Return who was heard of within the last hour, by name."""
        names = sorted(cast("set[str]", self._client.smembers(NAMES)))
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(_key(name))
                pipe.pttl(_key(name))
            found = pipe.execute()
        crew = []
        for name, said, left_ms in zip(names, found[::2], found[1::2], strict=True):
            if said is None:
                self._client.srem(NAMES, name)
                continue
            try:
                presence = Presence.from_wire(msgspec.json.decode(said))
            except UsageError:
                continue  # of another version of chordal
            crew.append(presence.replace(silent_s=round((TOLD_MS - left_ms) / 1000, 1)))
        return crew


def _key(name: str) -> str:
    return f"chordal:worker:{name}"
