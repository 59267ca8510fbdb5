"""Whether a broker answers and is fit to keep tasks; every error says what mends it."""

import re
import secrets
import ssl
from collections.abc import Iterator
from typing import cast

import redis
from kombu.connection import Connection
from kombu.exceptions import BatchPublishError, OperationalError

from pipeline.errors import BrokerError, UsageError
from pipeline.passwords import ESCAPES
from pipeline.versions import own_version
from workers.broker.address import BrokerAddress
from workers.broker.heartbeats import heartbeats
from workers.broker.rights import RIGHTS, RefusalError, try_work

BROKER_ERRORS = (redis.RedisError, OperationalError, BatchPublishError)
"""What redis-py and kombu raise while the broker is away."""

TIMEOUT_S = 3.0

_FULL = r"\bOOM\b|used memory > 'maxmemory'"
FULL = "its memory is full; raise its maxmemory, or empty it if nothing in it is wanted"
UNREACHED = "is it running, and are host, port and password right?"


def require(address: BrokerAddress) -> None:
    """See that a broker answers, lets this user do all that work does, and deletes no keys by itself.

    Raises `BrokerError` naming the broker, the reason and the mend.
    """
    client = address.client(timeout_s=TIMEOUT_S, retries=0)
    try:
        probe(client)
        _check_memory(address, try_work(client, carries_tasks=address.amqp is None))
    except (redis.RedisError, OSError) as error:
        raise BrokerError(f"broker {address.without_password}: {_explain(error, address)}") from error
    finally:
        client.close()
    try:
        probe_amqp(address)
    except OperationalError as error:
        cause = error.__cause__ or error
        raise BrokerError(f"broker {address.without_password}: {describe_error(cause, address)}") from cause


def require_for_run(address: BrokerAddress) -> None:
    """See once, before a run begins, that a broker is fit for it and that its workers are of this version.

    Raises as `require` and `require_same_version` do.
    """
    require(address)
    require_same_version(address)


def require_same_version(address: BrokerAddress) -> None:
    """See that the living workers of a broker are of this version of chordal.

    Raises `UsageError` naming both versions and the worker, `BrokerError` when the broker does not answer.
    """
    client = address.client(timeout_s=TIMEOUT_S, retries=0)
    try:
        workers = heartbeats(client)
    except redis.RedisError as error:
        raise BrokerError(f"broker {address.without_password}: {describe_error(error, address)}") from error
    finally:
        client.close()
    for worker, heartbeat in sorted(workers.items()):
        if heartbeat.version != own_version():
            raise UsageError(
                f"broker {address.without_password}: its worker {worker} is chordal {heartbeat.version}, this is "
                f"chordal {own_version()}; install the same version on both and start that worker again"
            )


def probe(client: redis.Redis) -> None:
    """Write to a broker. Raises redis-py's errors."""
    # Only a write shows it: a full one, a replica and one whose disk is full all answer a ping.
    client.set("chordal:probe", secrets.token_hex(4), ex=1)


def is_full(error: BaseException) -> bool:
    """Return whether a broker refused something because its memory is full."""
    cause: BaseException | None = error
    while cause is not None:
        if re.search(_FULL, str(cause)) is not None:
            return True
        cause = cause.__cause__  # many messages at once fail as one
    return False


def describe_error(error: BaseException, address: BrokerAddress) -> str:
    """Return in words why a broker cannot be used, and the mend."""
    causes = list(_causes(error))
    for each in causes:
        if isinstance(each, RefusalError):
            return str(each)
    if (match := re.search(_FORBIDDEN, _named(causes), re.IGNORECASE)) is not None:
        return f"the user may not {_describe_right(match)}; it needs {RIGHTS}"
    for pattern, words in _REASONS:
        if re.search(pattern, _named(causes), re.IGNORECASE):
            return f"{words}; {ESCAPES}" if words in _WRONG_PASSWORD and address.has_odd_password else words
    if re.search(_UNKNOWN_TO_SCRIPT, _named(causes), re.IGNORECASE):
        return f"it does not know a command that scripts of work call; {_SERVERS}"
    if (match := re.search(_UNKNOWN, _named(causes), re.IGNORECASE)) is not None:
        return f"it does not know {(match[1] or match[2]).upper()}; {_SERVERS}"
    return _describe_connection(error, address)


def _describe_connection(error: BaseException, address: BrokerAddress) -> str:
    """Return in words why there is no connection, or none that lasts."""
    text = " ".join(str(error).split())
    if any(isinstance(each, ssl.SSLError) for each in _causes(error, contexts=True)):
        return f"no TLS connection ({text}); if it does not speak TLS, write redis:// instead of rediss://"
    if isinstance(error, redis.InvalidResponse):
        return f"what answers there is no Redis or Valkey ({text}); are host and port right?"
    if re.search(r"timeout reading|timed out$|reading from .* timed out", text, re.IGNORECASE):
        return f"it takes connections, but does not answer; {_SILENT}"
    if "redis://" in address.url and re.search(r"connection closed by server|reset by peer", text, re.IGNORECASE):
        return f"{text}; is it a Redis or Valkey and no proxy, and if it speaks TLS, does the address begin with rediss://?"
    if "rediss://" in address.url:
        return (
            f"{text}; is it running, and does it speak TLS there? if it does not, write redis:// instead of rediss://"
        )
    return f"{text}; {UNREACHED}"


def _explain(error: BaseException, address: BrokerAddress) -> str:
    """Return in words why a broker cannot be used, after a second look where the first does not tell."""
    if re.search(_NO_DATABASE, str(error), re.IGNORECASE) and address.master is None and _is_cluster(address):
        return CLUSTER  # which has one database: there is more to mend than its number
    return describe_error(error, address)


def _is_cluster(address: BrokerAddress) -> bool:
    client = address.client(timeout_s=TIMEOUT_S, retries=0)
    client.connection_pool.connection_kwargs["db"] = 0
    try:
        return bool(client.info("cluster").get("cluster_enabled"))
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def _causes(error: BaseException, *, contexts: bool = False) -> Iterator[BaseException]:
    """Yield an error and what it was raised from: many messages at once fail as one."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (cause.__context__ if contexts else None)


def _named(errors: list[BaseException]) -> str:
    """Return errors as text, with their classes: redis-py takes the code off what a server says."""
    return " ".join(f"{type(each).__name__}: {' '.join(str(each).split())}" for each in errors)


def _describe_right(match: re.Match[str]) -> str:
    if match["command"]:
        return f"run {match['command'].upper().replace('|', ' ')}"
    if match["database"]:
        return "use this database"
    return f"use all {'channels' if 'channel' in match[0].lower() else 'keys'} of work"


CLUSTER = (
    "it is a cluster; name a single server (cluster-enabled no), since a task needs keys that a cluster keeps apart"
)

_SERVERS = "a Valkey, or a Redis since 6.2, has it; name one directly, not a proxy, with no such command renamed away"

_SILENT = "is it paused, stopped or busy, and are host and port right?"

_FORBIDDEN = (
    r"permissions? to run the '(?P<command>[\w|]+)'|can't run this (?P<some>command)"
    r"|permissions? to access (the )?(?P<database>database)"
    r"|(permissions? to|can't) access (a|at least one of the|one of the|the '[^']*') ?(key|channel)"
)

_UNKNOWN = r"(?:unknown|unsupported) command:? ['`\"]?(\w+)|wrong number of arguments for '(\w+)'"

_UNKNOWN_TO_SCRIPT = r"unknown (redis |valkey )?command called from"

_NO_DATABASE = r"DB index is out of range|invalid DB index"

_WRONG_PASSWORD = (
    "the password or user is wrong; mend it in the address",
    "RabbitMQ refuses the user or password; mend it in the address",
    "a Sentinel wants a password, or another one; mend &sentinel_password= in the address",
)

_REASONS = (
    (r"WRONGPASS|invalid username-password|invalid password", _WRONG_PASSWORD[0]),
    (
        r"NOAUTH|Authentication required|HELLO must be called",
        "it wants a password; write redis://:PASSWORD@HOST:PORT/DB, best in CHORDAL_BROKER where nobody else sees it",
    ),
    (
        r"without any password configured",
        "it knows no password, but the address has one; leave it out, or set one there",
    ),
    (_FULL, FULL),
    (
        r"READONLY|read only replica|ReadOnlyError|MasterDownError|MASTERDOWN",
        "it is a replica and takes no tasks; name its primary, or its Sentinels",
    ),
    (r"CROSSSLOT|same slot|MovedError|\bMOVED \d|AskError|ClusterDown|TryAgainError|cluster mode", CLUSTER),
    (r"MISCONF", "it cannot write to its disk, and so takes no tasks; see its log and free some space there"),
    (r"NOREPLICAS", "it takes no writes while too few replicas follow it; see to them, or to min-replicas-to-write"),
    (r"BusyLoadingError|\bLOADING\b", "it is still reading its data from its disk; try again when it has"),
    (r"\bBUSY\b.*running a", "somebody's script keeps it busy; end that there (SCRIPT KILL), and try again"),
    (
        r"max number of clients",
        "it takes no more connections; raise its maxclients, or end programs that keep some",
    ),
    (
        r"\bDENIED\b|protected mode",
        "it answers only its own host while it has no password (protected mode); set one there and in the address",
    ),
    (_NO_DATABASE, "it has no such database; a number from 0 to 15 is common"),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "its certificate is not trusted here; add ?ssl_ca_certs=FILE with the authority that signed it",
    ),
    (r"No master found.*\bauth(:|entication)", _WRONG_PASSWORD[2]),
    (
        r"No master found|MasterNotFound",
        "the Sentinels know no such server, or none of them answers; is master_name right?",
    ),
    (r"ACCESS_REFUSED", _WRONG_PASSWORD[1]),
    (
        r"NOT_ALLOWED|vhost .* not found",
        "RabbitMQ has no such vhost for this user; `rabbitmqctl list_vhosts` names them",
    ),
    (
        r"undeclared key",
        "its scripts may use declared keys only; allow others (Dragonfly: --default_lua_flags=allow-undeclared-keys)",
    ),
    (
        r"script_effects|non deterministic command",
        f"it is too old for the scripts of work; {_SERVERS}",
    ),
)


def memory(client: redis.Redis) -> dict[str, int]:
    """Return what a broker says of its memory, in bytes: nothing where a user may not ask.

    Raises redis-py's errors for a broker that is away.
    """
    try:
        return cast("dict[str, int]", client.info("memory"))
    except redis.ResponseError:
        return {}


def _check_memory(address: BrokerAddress, memory: str) -> None:
    """Raise `BrokerError` for a server that deletes keys when its memory is full: tasks are keys.

    A hosted service may say nothing of its memory; the write still shows a full one.
    """
    facts = dict(line.split(":", 1) for line in memory.splitlines() if ":" in line)
    policy = facts.get("maxmemory_policy", "noeviction")
    if int(facts.get("maxmemory", 0)) and policy != "noeviction":
        raise BrokerError(
            f"broker {address.without_password}: it drops keys when its memory is full (maxmemory-policy {policy}), "
            "and tasks are keys; set maxmemory-policy noeviction there"
        )


def probe_amqp(address: BrokerAddress, *, timeout_s: float = TIMEOUT_S) -> None:
    """Connect to the RabbitMQ of an address, if one carries the tasks. Raises kombu's `OperationalError`."""
    if address.amqp is None:
        return
    connection = Connection(address.amqp, connect_timeout=timeout_s)
    try:
        connection.connect()
    except (*connection.connection_errors, *connection.channel_errors, OSError) as error:
        raise OperationalError(str(error)) from error
    finally:
        connection.release()
