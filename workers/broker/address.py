"""Where the broker is, in the spellings that Celery and redis-py want.

An address names a Redis or Valkey server, several Sentinels of one, or a RabbitMQ for the tasks with a Redis or Valkey
beside it for what RabbitMQ cannot keep: a chord's count, attempts, progress.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pipeline.errors import UsageError
from pipeline.passwords import ESCAPES, has_odd_password, without_password
from pipeline.wire import Value

if TYPE_CHECKING:
    import redis

SCHEMES = ("redis", "rediss", "redis+socket")
SENTINEL_PORT = 26379

_NEXT = re.compile(r";(?=[a-z+]+://)")
_OPTION = re.compile(r"\w+=[^@]*|(ssl_\w+|\w*password|master_name)=.*")
"""A name and a value behind the question mark; an @ has a place only in some."""

FORMS = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB (TLS), "
    "sentinel://HOST:PORT;sentinel://HOST:PORT/DB?master_name=NAME or amqp://HOST:PORT/VHOST;redis://HOST:PORT/DB"
)


class BrokerAddress(Value, frozen=True, kw_only=True):
    """A broker's address as a user gives it: one URL, or several with semicolons between them."""

    url: str

    @classmethod
    def parse(cls, url: str) -> "BrokerAddress":
        """Return the address a user gave.

        Raises `UsageError` for what is no address, without the password in it.
        """
        address = cls(url=url.strip())
        try:
            mistake = address._mistake()
        except ValueError:
            mistake = "not an address"
        if mistake:
            escapes = f"; {ESCAPES}" if address.has_odd_password else ""
            raise UsageError(f"broker {address.without_password}: {mistake}; give {FORMS}{escapes}")
        return address

    @classmethod
    def socket(cls, path: Path) -> "BrokerAddress":
        """Return the address of a server that listens on a Unix socket."""
        return cls(url=f"redis+socket://{quote(str(path))}")

    @property
    def without_password(self) -> str:
        """The address for people: each password is `***`."""
        return without_password(self.url)

    @property
    def has_odd_password(self) -> bool:
        """Whether what stands before an `@`, or is a password by its name, has characters that may want an escape."""
        return has_odd_password(self.url)

    @property
    def amqp(self) -> str | None:
        """The address of the RabbitMQ that carries the tasks; None where a Redis or Valkey does."""
        urls = [_escaped(url) for url in self._urls if url.startswith("amqp://")]
        return ";".join(urls) or None

    @property
    def master(self) -> str | None:
        """The name that the Sentinels know the server by; None where its address is given."""
        return _query(self._stores[-1]).get("master_name") if self._stores[0].startswith("sentinel:") else None

    def celery(self) -> dict[str, Any]:
        """Return Celery's settings that say where the broker and the results are."""
        options: dict[str, Any] = {}
        store = ";".join(_without_query(url) for url in self._stores)
        if self.master is not None:
            # Kombu and Celery take the number of the database from the first address, we from the last.
            path = urlsplit(self._stores[-1]).path
            store = ";".join(urlunsplit(urlsplit(url)._replace(path=path)) for url in store.split(";"))
            options = {"master_name": self.master}
            if password := _query(self._stores[-1]).get("sentinel_password"):
                options["sentinel_kwargs"] = {"password": password}
        elif store.startswith("rediss:"):
            store = self._with_verification
        elif not store.startswith("redis:"):
            store = self._stores[0]
        return {
            "broker_url": self.amqp or store,
            "broker_transport_options": {"confirm_publish": True} if self.amqp else options,
            "result_backend": store,
            "result_backend_transport_options": options,
        }

    def client(self, *, timeout_s: float = 5.0, retries: int = 3) -> "redis.Redis":
        """Return a client of the Redis or Valkey; it connects on first use.

        Each command gives up after `retries` and `timeout_s`.
        """
        # With its asyncio half, which a command that only names a broker does without.
        import redis
        from redis.backoff import ConstantBackoff
        from redis.retry import Retry

        options: dict[str, Any] = {
            "socket_connect_timeout": timeout_s,
            "socket_timeout": timeout_s,
            "decode_responses": True,
            "retry": Retry(ConstantBackoff(0.2), retries),
        }
        if self.master is not None:
            return self._client_of_sentinels(self.master, options)
        url = self._with_verification.replace("redis+socket://", "unix://", 1)
        client: redis.Redis = redis.Redis.from_url(url, **options)
        return client

    def _client_of_sentinels(self, master: str, options: Mapping[str, Any]) -> "redis.Redis":
        from redis.sentinel import Sentinel

        parts = [urlsplit(url) for url in self._stores]
        password = _query(self._stores[-1]).get("sentinel_password")
        patience = {name: options[name] for name in ("socket_connect_timeout", "socket_timeout", "retry")}
        sentinels = Sentinel(
            [(part.hostname or "", part.port or SENTINEL_PORT) for part in parts],
            sentinel_kwargs={**patience, **({"password": password} if password else {})},
        )
        client: redis.Redis = sentinels.master_for(
            master,
            db=int(parts[-1].path.strip("/") or 0),
            username=_unquote(parts[0].username),
            password=_unquote(parts[0].password),
            **options,
        )
        return client

    @property
    def _urls(self) -> list[str]:
        return _NEXT.split(self.url)

    @property
    def _stores(self) -> list[str]:
        """Where counts and results are: the addresses that are no RabbitMQ's."""
        return [_escaped(url) for url in self._urls if not url.startswith("amqp://")] or [""]

    @property
    def _with_verification(self) -> str:
        """The store's address; over TLS it has to show a certificate, which Celery would not ask for by itself."""
        parts = urlsplit(self._stores[0])
        if parts.scheme != "rediss":
            return self._stores[0]
        query = {"ssl_cert_reqs": "required", **_query(self._stores[0])}
        return urlunsplit(parts._replace(query=urlencode(query, safe="/")))

    def _mistake(self) -> str:
        """Return in words what is wrong with the address, or nothing. Raises `ValueError` for what cannot be read."""
        parts = [urlsplit(url) for url in self._urls]
        if any(map(_is_broken, self._urls, parts)):
            return "not an address"
        if self.amqp is not None and self._stores == [""]:
            return (
                "RabbitMQ carries tasks, but chords, attempts and progress need a Redis or Valkey beside it "
                "(a small one will do); add it after a semicolon"
            )
        schemes = [part.scheme for part in parts if part.scheme != "amqp"]
        if set(schemes) == {"sentinel"}:
            return "" if self.master else "does not say which server the Sentinels shall name"
        if schemes and (len(schemes) > 1 or schemes[0] not in SCHEMES):
            return "not an address" if schemes[0] not in SCHEMES else "more than one server"
        return _tls_mistake(_query(self._stores[0])) if schemes == ["rediss"] else ""


def _tls_mistake(query: Mapping[str, str]) -> str:
    if query.get("ssl_cert_reqs", "required") not in {"required", "optional", "none"}:
        return "ssl_cert_reqs is none of required, optional, none"
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in query and not Path(query[name]).is_file():
            return f"{name} {query[name]} is no file"
    return ""


def _is_broken(url: str, parts: SplitResult) -> bool:
    """Return whether a part of an address is missing, or cannot be what it stands for: a piece of a password, mostly.

    Raises `ValueError` for what cannot be read.
    """
    if (not parts.hostname and parts.scheme != "redis+socket") or parts.port == 0:
        return True
    if re.search(r"[\x00-\x1f\x7f#]", url):
        return True
    if parts.scheme != "redis+socket" and "@" in parts.path:
        return True
    if parts.scheme in {"redis", "rediss", "sentinel"} and not re.fullmatch(r"/?\d*/?", parts.path):
        return True
    return any(not _OPTION.fullmatch(option) for option in parts.query.split("&") if parts.query)


def _escaped(url: str) -> str:
    """Return an address with every odd character of its user and password escaped: kombu splits at some of them."""
    netloc = urlsplit(url).netloc
    userinfo, at, place = netloc.rpartition("@")
    words = [quote(unquote(word), safe="") for word in userinfo.split(":", 1)]
    return url.replace(netloc, f"{':'.join(words)}{at}{place}", 1) if at else url


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def _without_query(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query=""))


def _unquote(text: str | None) -> str | None:
    return None if text is None else unquote(text)
