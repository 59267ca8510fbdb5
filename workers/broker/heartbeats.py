"""Heartbeats: what each worker of a broker writes of itself every few seconds.

Asking all workers by Celery's remote control takes as long as one waits for answers, and gets none from those that
died. A heartbeat is read at once, and a worker's silence shows.
"""

import json
from typing import cast

import redis

from pipeline.errors import UsageError
from pipeline.wire import Value

NAMES = "chordal:workers"

SILENT_S = 15.0
"""Seconds of silence after which a worker counts as gone."""

KEPT_S = 3600
"""How long a worker that fell silent is still listed."""

NO_END = -1
"""What `PTTL` says of a key that does not expire."""


class Heartbeat(Value, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What a worker writes of itself, for readers of every version: fields are added, never changed."""

    version: str
    held: int = 0
    """Messages that it has taken and not acknowledged."""
    extracts: bool = False
    """Whether it works on files."""
    unseen: str = ""
    """A library that is not there on its host, in words."""
    host: str = ""
    processes: int = 0
    queues: tuple[str, ...] = ()
    """Those it was started for; none where the worker is older than this field and those around it."""
    doing: str = "working"
    """`working`, or why it takes nothing new."""
    nice: int = 0
    kept_s: int = int(SILENT_S)
    """How long the broker keeps the heartbeat. Workers that do not write this field have it kept while they count."""


class Worker(Value, frozen=True, kw_only=True):
    """A worker as the broker lists it."""

    name: str
    """As Celery and Flower name it, `extract@host`."""
    heartbeat: Heartbeat
    """The last one."""
    silent_s: float
    """Seconds since then."""

    @property
    def alive(self) -> bool:
        """Whether the heartbeat is recent."""
        return self.silent_s < SILENT_S


class WorkerList:
    """The workers of a broker; silence is measured by the broker, so that clocks need not agree."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def write(self, name: str, heartbeat: Heartbeat) -> None:
        """Write the heartbeat of a worker."""
        with self._client.pipeline(transaction=False) as pipe:
            # In this order: readers drop a name without a heartbeat.
            pipe.set(_key(name), json.dumps(heartbeat.to_wire()), ex=heartbeat.kept_s)
            pipe.sadd(NAMES, name)
            pipe.execute()

    def remove(self, name: str) -> None:
        """Forget a worker that ends."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.srem(NAMES, name)
            pipe.delete(_key(name))
            pipe.execute()

    def workers(self) -> list[Worker]:
        """Return the workers, by name, with those that fell silent within the last hour."""
        names = sorted(cast("set[str]", self._client.smembers(NAMES)))
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(_key(name))
                pipe.pttl(_key(name))
            answers = pipe.execute()
        listed = []
        for name, document, left_ms in zip(names, answers[::2], answers[1::2], strict=True):
            if document is None:
                self._client.srem(NAMES, name)
                continue
            heartbeat = Heartbeat.from_wire(json.loads(document))
            silent_s = 0.0 if left_ms == NO_END else heartbeat.kept_s - left_ms / 1000
            listed.append(Worker(name=name, heartbeat=heartbeat, silent_s=silent_s))
        return listed


def heartbeats(client: redis.Redis) -> dict[str, Heartbeat]:
    """Return the heartbeats of the workers that are alive, by worker."""
    return {worker.name: worker.heartbeat for worker in WorkerList(client).workers() if worker.alive}


def require_mounted(workers: dict[str, Heartbeat]) -> None:
    """Raise `UsageError`, naming host and folder, when no worker for files sees the libraries it is asked to read."""
    readers = {worker: each for worker, each in sorted(workers.items()) if each.extracts}
    if readers and all(each.unseen for each in readers.values()):
        missing = "; ".join(f"{each.unseen} on host {worker.rpartition('@')[2]}" for worker, each in readers.items())
        raise UsageError(
            f"library {missing}: no worker sees it, nothing is lost; mount it there, or start the worker with "
            "--map THERE=HERE if it has another place, and run the same command again"
        )


def _key(name: str) -> str:
    return f"chordal:version:{name}"
