"""What workers and messages tell of themselves, in a form that every version of chordal can read."""

import json
from functools import cache
from typing import Any, cast

import redis
from celery.signals import before_task_publish

from pipeline.errors import UsageError
from pipeline.versions import own_version
from pipeline.wire import Value
from workers.presence import NAMES

HEADER = "chordal"
"""The header of each message that holds the sender's version."""
RUN_HEADER = "chordal_run"
"""The header of each message of a run that holds the run's id."""

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


@cache
def mine() -> str:
    """Return this chordal's version."""
    return own_version()


def told(client: redis.Redis) -> dict[str, Told]:
    """Return what the workers that are alive tell, by worker."""
    names = sorted(cast("set[str]", client.smembers(NAMES)))
    if not names:
        return {}
    found = cast("list[str | None]", client.mget([_key(name) for name in names]))
    return {name: _read(said) for name, said in zip(names, found, strict=True) if said is not None}


def _read(said: str) -> Told:
    known = json.loads(said)
    return Told(**{name: known[name] for name in Told.__struct_fields__ if name in known})


def refuse_others(found: dict[str, Told], *, where: str) -> None:
    """Raise `UsageError`, naming both versions, when a worker is of another one."""
    for worker, each in sorted(found.items()):
        if each.version != mine():
            raise UsageError(
                f"broker {where}: its worker {worker} is chordal {each.version}, this is chordal {mine()}; "
                "install the same version on both and start that worker again"
            )


def refuse_blind(found: dict[str, Told]) -> None:
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
        pipe.set(_key(worker), json.dumps(said.to_wire()), px=ALIVE_MS)
        pipe.execute()


def leave(client: redis.Redis, worker: str) -> None:
    """Say that a worker ends."""
    client.delete(_key(worker))


def _key(name: str) -> str:
    return f"chordal:version:{name}"


@before_task_publish.connect
def _stamp(headers: dict[str, Any] | None = None, body: Any = None, **_: Any) -> None:
    if headers is None:
        return
    headers[HEADER] = mine()
    args, kwargs, *_rest = body
    first = args[0] if args and isinstance(args[0], dict) else {}
    run_id = kwargs.get("run_id") or first.get("run_id")
    if run_id is not None:
        headers[RUN_HEADER] = run_id
