"""Who works for a broker, told by the workers themselves every few seconds; for the eye only.

Asking all workers by Celery's remote control takes as long as one waits for answers, and does not hear from those that
died. What a worker says of itself is read at once, and its silence shows.
"""

import json
from typing import cast

import msgspec
import redis

from pipeline.errors import UsageError
from pipeline.wire import Value
from workers.broker.headers import mine

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


ALIVE_MS = 15_000
"""How long a worker that fell silent counts as there."""


class Told(Value, frozen=True, kw_only=True):
    """What a worker of any version tells of itself; fields are added, never changed."""

    version: str
    held: int = 0
    """Messages that it has taken and not acknowledged."""
    extracts: bool = False
    """Whether it works on files."""
    unseen: str = ""
    """A library that is not there on its host, in words."""


def told(client: redis.Redis) -> dict[str, Told]:
    """Return what the workers that are alive tell, by worker."""
    names = sorted(cast("set[str]", client.smembers(NAMES)))
    if not names:
        return {}
    found = cast("list[str | None]", client.mget([_version_key(name) for name in names]))
    return {name: _read(said) for name, said in zip(names, found, strict=True) if said is not None}


def _read(said: str) -> Told:
    known = json.loads(said)
    return Told(**{name: known[name] for name in Told.__struct_fields__ if name in known})


def require_same_version(found: dict[str, Told], *, where: str) -> None:
    """Raise `UsageError`, naming both versions, when a worker is of another one."""
    for worker, each in sorted(found.items()):
        if each.version != mine():
            raise UsageError(
                f"broker {where}: its worker {worker} is chordal {each.version}, this is chordal {mine()}; "
                "install the same version on both and start that worker again"
            )


def require_mounted(found: dict[str, Told]) -> None:
    """Raise `UsageError`, naming host and folder, when no worker for files sees the libraries it is asked to read."""
    readers = {worker: each for worker, each in sorted(found.items()) if each.extracts}
    if readers and all(each.unseen for each in readers.values()):
        blind = "; ".join(f"{each.unseen} on host {worker.rpartition('@')[2]}" for worker, each in readers.items())
        raise UsageError(
            f"library {blind}: no worker sees it, nothing is lost; mount it there, or start the worker with "
            "--map THERE=HERE if it has another place, and run the same command again"
        )


def tell(client: redis.Redis, worker: str, said: Told) -> None:
    """Say that a worker is there."""
    with client.pipeline(transaction=False) as pipe:
        pipe.sadd(NAMES, worker)
        pipe.set(_version_key(worker), json.dumps(said.to_wire()), px=ALIVE_MS)
        pipe.execute()


def leave(client: redis.Redis, worker: str) -> None:
    """Say that a worker ends."""
    client.delete(_version_key(worker))


def _version_key(name: str) -> str:
    return f"chordal:version:{name}"
