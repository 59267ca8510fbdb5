"""Where the broker is, in the two spellings that Celery and redis-py want."""

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from pipeline.errors import BrokerError, UsageError
from pipeline.wire import Value

SCHEMES = ("redis", "rediss", "redis+socket")


class BrokerAddress(Value, frozen=True, kw_only=True):
    """A broker's address as Celery's broker setting takes it: `redis://host:port/db` or `redis+socket:///path`."""

    url: str

    @classmethod
    def parse(cls, url: str) -> "BrokerAddress":
        """Return the address a user gave.

        Raises `UsageError` for a scheme that is none of ours or an address without a host.
        """
        try:
            parts = urlsplit(url)
            whole = parts.scheme in SCHEMES and (parts.hostname or parts.scheme == "redis+socket")
            _ = parts.port
        except ValueError:
            whole = False
        if not whole:
            raise UsageError(f"broker {url}: not an address; give redis://HOST:PORT/DB or rediss://HOST:PORT/DB")
        return cls(url=url)

    @classmethod
    def socket(cls, path: Path) -> "BrokerAddress":
        """Return the address of a server that listens on a Unix socket."""
        return cls(url=f"redis+socket://{quote(str(path))}")

    @property
    def shown(self) -> str:
        """The address for people, without its password."""
        parts = urlsplit(self.url)
        if parts.password is None:
            return self.url
        return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{parts.netloc.rpartition('@')[2]}"))

    def client(self, *, timeout_s: float = 5.0, retries: int = 3) -> "redis.Redis":
        """Return a client; it connects on first use, and each command gives up after `retries` and `timeout_s`."""
        url = self.url.replace("redis+socket://", "unix://", 1)
        client: redis.Redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            decode_responses=True,
            retry=Retry(ConstantBackoff(0.2), retries),
        )
        return client

    def check(self) -> None:
        """Ask the broker for a sign of life.

        Raises `BrokerError` with its answer, or with the reason why there is none.
        """
        client = self.client(timeout_s=3.0, retries=0)
        try:
            client.ping()
        except redis.RedisError as error:
            raise BrokerError(
                f"broker {self.shown}: {error}; is it running, and are host, port and password right?"
            ) from error
        finally:
            client.close()
