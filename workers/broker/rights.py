"""What work does on a broker's Redis or Valkey, tried there: its commands, its keys, its channels.

Nothing of work is touched. The commands run on keys of the probe's own; whether the keys of work may be used shows a
script that is given them and only asks how long the queues are; a message without content is no message to kombu.
"""

import hashlib
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import redis

from pipeline.text import printable
from workers.broker.names import QUEUES, SCHEDULE
from workers.broker.priorities import STEPS, queue_key

RIGHTS = "~* &* +@all -@dangerous"
"""What a user of a broker needs, as an ACL says it."""

_LIST, _HASH, _SORTED, _SET, _TEXT = (f"chordal:probe:{kind}" for kind in ("list", "hash", "sorted", "set", "text"))
_OWN = (_LIST, _HASH, _SORTED, _SET, _TEXT)

# The commands that scripts call: ours, Celery's for chords, kombu's for bindings, redis-py's for locks; one on a key
# that is not declared, as some do. The keys after the fourth are those of work, of which the first ARGV[1] are lists.
_SCRIPT = """
local hash, sorted, set, text = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = redis.call('TIME')[1]
redis.call('DEL', hash, sorted, set, text)
redis.call('SET', text, now, 'NX', 'PX', 1000)
redis.call('PEXPIRE', text, 1000)
redis.call('PTTL', text)
redis.call('GET', text)
redis.call('EXISTS', text .. ':other')
redis.call('HSETNX', hash, 'a', now)
redis.call('EXPIRE', hash, 1)
redis.call('HINCRBY', hash, 'b', 1)
redis.call('HINCRBYFLOAT', hash, 'c', 0.5)
redis.call('HEXISTS', hash, 'a')
redis.call('HKEYS', hash)
redis.call('HDEL', hash, 'a')
redis.call('ZADD', sorted, 'GT', now, 'a')
redis.call('EXPIRE', sorted, 1)
redis.call('ZSCORE', sorted, 'a')
redis.call('ZCOUNT', sorted, '-inf', '+inf')
redis.call('ZRANGEBYSCORE', sorted, '-inf', now, 'LIMIT', 0, 1)
redis.call('ZREMRANGEBYSCORE', sorted, '-inf', now)
redis.call('ZREM', sorted, 'a')
redis.call('SADD', set, 'a')
redis.call('EXPIRE', set, 1)
redis.call('SISMEMBER', set, 'a')
for i = 5, 4 + ARGV[1] do
  local length = redis.pcall('LLEN', KEYS[i])
  if type(length) == 'table' then
    if string.find(length.err, 'WRONGTYPE') then return KEYS[i] end
    return length
  end
end
redis.call('DEL', hash, sorted, set, text)
return ''
"""

# The others: of our counters and heartbeats, of kombu's channels, of Celery's results. Within one transaction, so that
# none of them runs unless all may.
_TRANSACTION: tuple[tuple[Any, ...], ...] = (
    ("DEL", *_OWN),
    ("LPUSH", _LIST, "a"),
    ("RPUSH", _LIST, "b"),
    ("LLEN", _LIST),
    ("LRANGE", _LIST, 0, -1),
    ("LTRIM", _LIST, 0, 9),
    ("LREM", _LIST, 1, "a"),
    ("BRPOP", _LIST, 1),
    ("HSET", _HASH, "a", 1),
    ("HINCRBY", _HASH, "a", 1),
    ("HINCRBYFLOAT", _HASH, "a", 0.5),
    ("HGET", _HASH, "a"),
    ("HMGET", _HASH, "a", "b"),
    ("HGETALL", _HASH),
    ("HVALS", _HASH),
    ("HLEN", _HASH),
    ("HDEL", _HASH, "a"),
    ("ZADD", _SORTED, 1, "a"),
    ("ZRANGE", _SORTED, 1, 0, "BYSCORE", "REV", "LIMIT", 0, 1, "WITHSCORES"),
    ("ZREM", _SORTED, "a"),
    ("SADD", _SET, "a"),
    ("SMEMBERS", _SET),
    ("SREM", _SET, "a"),
    ("SET", _TEXT, 1, "EX", 1),
    ("SETEX", _TEXT, 1, 1),
    ("GET", _TEXT),
    ("EXISTS", _TEXT),
    ("EXPIRE", _TEXT, 1),
    ("PEXPIRE", _TEXT, 1000),
    ("PTTL", _TEXT),
    ("TIME",),
    ("DEL", *_OWN),
)


class RefusalError(redis.ResponseError):
    """A broker's server does not let this user do what work does; the text is what is missing, and its mend."""


def try_work(client: redis.Redis, *, carries_tasks: bool) -> str:
    """Do what work does, in two round trips; return what the server says of its memory, or nothing.

    `carries_tasks` says whether the queues are on the server too, or with a RabbitMQ. Raises `RefusalError` naming
    what is missing, else redis-py's errors.
    """
    lists, others = _names(str(uuid.uuid4()), carries_tasks=carries_tasks)
    keys = (_HASH, _SORTED, _SET, _TEXT, *lists, *others)
    channels, patterns = _channels(_database(client), carries_tasks=carries_tasks)
    commands: list[tuple[Any, ...]] = [
        ("INFO", "memory"),
        ("SCRIPT", "LOAD", _SCRIPT),
        ("EVALSHA", _sha(_SCRIPT), len(keys), *keys, len(lists)),
        *(("PUBLISH", channel, "") for channel in channels),
        ("WATCH", _HASH),
        ("MULTI",),
        *_TRANSACTION,
        ("EXEC",),
    ]
    memory, *answers = _answers(client, commands)
    for command, answer in _flat(commands[1:], answers):
        if isinstance(answer, redis.ResponseError):
            _clean(client)
            if command[0] == "EVALSHA" and _is_of_keys(answer):
                raise _refusal(f"use the key {_first_refused(client, keys)}") from answer
            if command[0] == "PUBLISH" and _is_of_channels(answer):
                raise _refusal(f"use the channel {command[1]}") from answer
            raise answer
        if command[0] == "EVALSHA" and answer:
            raise RefusalError(
                f"its key {printable(str(answer))} is no queue: something else uses this database; name another one"
            )
    if patterns:
        _subscribe(client, patterns)
    return memory if isinstance(memory, str) else ""


def _names(some_id: str, *, carries_tasks: bool) -> tuple[list[str], list[str]]:
    """Return names that keys of work have: of the queues, and of the others."""
    others = [f"chordal:{name}" for name in ("totals", "workers", "version:probe", "cap", "claims", "beat", some_id)]
    others += [f"celery-taskset-meta-{some_id}.j", f"celery-task-meta-{some_id}"]
    if not carries_tasks:
        return [], others
    roles = [f"unacked{role}" for role in ("_index", "_mutex", "-learn", "-learn-index", "-learn-mutex")]
    roles += [f"unacked-conduct{name}" for name in ("", "-index", "-mutex")]
    bindings = [f"_kombu.binding.{name}" for name in (*QUEUES, SCHEDULE, "celery.pidbox", "celeryev")]
    bindings += ["_kombu.binding_deadlines", f"_kombu.binding_permanent.{QUEUES[0]}"]
    own = [f"{some_id}.reply.celery.pidbox", "extract@host.celery.pidbox", f"celeryev.{some_id}"]
    lists = [queue_key(queue, step) for queue in (*QUEUES, SCHEDULE) for step in STEPS]
    return lists, ["unacked", *roles, *bindings, *own, *others]


def _channels(database: int, *, carries_tasks: bool) -> tuple[list[str], list[str]]:
    """Return channels that work publishes to, and patterns that it subscribes to."""
    results = f"celery-task-meta-{uuid.uuid4()}"
    if not carries_tasks:
        return [results], []
    control, events = f"/{database}.celery.pidbox", f"/{database}.celeryev"
    return [control, f"{events}/worker.heartbeat", f"{events}/task.multi", results], [control]


def _database(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs.get("db") or 0)


def _answers(client: redis.Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Send commands at once and return an answer or an error for each.

    By the connection itself: a pipeline of redis-py sends no transaction together with other commands.
    """
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        return [_answer(connection) for _ in commands]
    except BaseException:
        connection.disconnect()  # answers that nobody read would be those of the next command
        raise
    finally:
        pool.release(connection)


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _flat(commands: Sequence[tuple[Any, ...]], answers: Sequence[Any]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each command with its answer; of a transaction, with those that it gave at its end."""
    yield from zip(commands, answers, strict=True)
    if isinstance(answers[-1], list):
        yield from zip(_TRANSACTION, answers[-1], strict=False)


def _subscribe(client: redis.Redis, patterns: Sequence[str]) -> None:
    with client.pubsub() as subscription:
        try:
            subscription.psubscribe(*patterns)
            subscription.parse_response()
        except redis.exceptions.NoPermissionError as error:
            if not _is_of_channels(error):
                raise
            raise _refusal(f"subscribe to the channels {' '.join(patterns)}") from error


def _first_refused(client: redis.Redis, keys: Sequence[str]) -> str:
    """Return the first of some keys that the user may not read and write."""
    nothing = "return 0"
    commands = [("EVALSHA", _sha(nothing), 1, key) for key in keys]
    answers = _answers(client, [("SCRIPT", "LOAD", nothing), *commands])[1:]
    refused = [key for key, answer in zip(keys, answers, strict=True) if isinstance(answer, redis.ResponseError)]
    return printable((refused or keys)[0])


def _clean(client: redis.Redis) -> None:
    """Delete what a script left that could not come to its end."""
    _answers(client, [("DEL", *_OWN)])


def _refusal(what: str) -> RefusalError:
    return RefusalError(f"the user may not {what}; it needs {RIGHTS}")


def _is_of_keys(error: redis.ResponseError) -> bool:
    return re.search(r"access (a|one of the) key|access the '.*' key", str(error)) is not None


def _is_of_channels(error: redis.ResponseError) -> bool:
    return re.search(r"access (a|one of the) channel|access the '.*' channel", str(error)) is not None


def _sha(script: str) -> str:
    return hashlib.sha1(script.encode("ascii"), usedforsecurity=False).hexdigest()
