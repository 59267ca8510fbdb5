"""Whether a broker answers and is fit to keep tasks; every error says what mends it."""

import re
import secrets
import ssl
from typing import cast

import redis
from kombu.connection import Connection
from kombu.exceptions import BatchPublishError, OperationalError

from pipeline.errors import BrokerError, UsageError
from pipeline.versions import own_version
from workers.broker.address import BrokerAddress
from workers.broker.heartbeats import heartbeats

BROKER_ERRORS = (redis.RedisError, OperationalError, BatchPublishError)
"""What redis-py and kombu raise while the broker is away."""

TIMEOUT_S = 3.0

_FULL = r"\bOOM\b|used memory > 'maxmemory'"
FULL = "its memory is full; raise its maxmemory, or empty it if nothing in it is wanted"
UNREACHED = "is it running, and are host, port and password right?"


def require(address: BrokerAddress) -> None:
    """See that a broker answers, takes a write, and deletes no keys by itself.

    Raises `BrokerError` naming the broker, the reason and the mend.
    """
    client = address.client(timeout_s=TIMEOUT_S, retries=0)
    try:
        client.ping()
        _check_memory(address, client)
        probe(client)
    except (redis.RedisError, OSError) as error:
        raise BrokerError(f"broker {address.without_password}: {describe_error(error, address)}") from error
    finally:
        client.close()
    if address.amqp is not None:
        _check_amqp(address)


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
    text = " ".join(str(error).split())
    for pattern, words in _REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return words
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"no TLS connection ({text}); if it does not speak TLS, write redis:// instead of rediss://"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, redis.InvalidResponse):
        return f"what answers there is no Redis or Valkey ({text}); are host and port right?"
    if "redis://" in address.url and re.search(r"connection closed by server|reset by peer", text, re.IGNORECASE):
        return f"{text}; is it a Redis or Valkey, and if it speaks TLS, does the address begin with rediss://?"
    if "rediss://" in address.url:
        return (
            f"{text}; is it running, and does it speak TLS there? if it does not, write redis:// instead of rediss://"
        )
    return f"{text}; {UNREACHED}"


_REASONS = (
    (r"WRONGPASS|invalid username-password|invalid password", "the password or user is wrong; mend it in the address"),
    (
        r"NOAUTH|Authentication required|HELLO must be called",
        "it wants a password; write redis://:PASSWORD@HOST:PORT/DB, best in CHORDAL_BROKER where nobody else sees it",
    ),
    (
        r"without any password configured",
        "it knows no password, but the address has one; leave it out, or set one there",
    ),
    (_FULL, FULL),
    (r"READONLY|read only replica", "it is a replica and takes no tasks; name its primary, or its Sentinels"),
    (r"MISCONF", "it cannot write to its disk, and so takes no tasks; see its log and free some space there"),
    (r"DB index is out of range|invalid DB index", "it has no such database; a number from 0 to 15 is common"),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "its certificate is not trusted here; add ?ssl_ca_certs=FILE with the authority that signed it",
    ),
    (
        r"No master found|MasterNotFound",
        "the Sentinels know no such server, or none of them answers; is master_name right?",
    ),
    (r"ACCESS_REFUSED", "RabbitMQ refuses the user or password; mend it in the address"),
    (
        r"NOT_ALLOWED|vhost .* not found",
        "RabbitMQ has no such vhost for this user; `rabbitmqctl list_vhosts` names them",
    ),
)


def _check_memory(address: BrokerAddress, client: redis.Redis) -> None:
    """Raise `BrokerError` for a server that deletes keys when its memory is full: tasks are keys."""
    try:
        memory = cast("dict[str, object]", client.info("memory"))
    except redis.ResponseError:
        return  # a hosted service that does not answer this; the write still shows a full one
    policy = memory.get("maxmemory_policy", "noeviction")
    if int(cast("int", memory.get("maxmemory", 0))) and policy != "noeviction":
        raise BrokerError(
            f"broker {address.without_password}: it drops keys when its memory is full (maxmemory-policy {policy}), "
            "and tasks are keys; set maxmemory-policy noeviction there"
        )


def _check_amqp(address: BrokerAddress) -> None:
    connection = Connection(address.amqp, connect_timeout=TIMEOUT_S)
    try:
        connection.connect()
    except (*connection.connection_errors, *connection.channel_errors, OSError) as error:
        raise BrokerError(f"broker {address.without_password}: {describe_error(error, address)}") from error
    finally:
        connection.release()
