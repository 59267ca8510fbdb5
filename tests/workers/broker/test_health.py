"""What is wrong with a broker, caused with real servers: one line with the thing, the reason and the mend."""

import socket
import threading
from urllib.parse import quote

import brokers
import pytest
import redis
from celery import Celery
from conditions import eventually
from kombu import Connection

from pipeline.errors import BrokerError, UsageError
from pipeline.versions import own_version
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.broker.heartbeats import NAMES, Heartbeat, WorkerList

pytestmark = pytest.mark.slow


def refusal(url: str) -> str:
    """Return the line with which a broker is refused."""
    with pytest.raises(BrokerError) as caught:
        health.require(BrokerAddress.parse(url))
    line = str(caught.value)
    assert line.startswith("broker ")
    assert "secret" not in line
    assert "\n" not in line
    return line


def test_a_broker_with_the_right_password_is_fit(tmp_path):
    with brokers.valkey(tmp_path, auth="secret") as port:
        health.require(BrokerAddress.parse(f"redis://:secret@127.0.0.1:{port}/0"))


def test_a_wrong_password_is_reported_and_not_printed(tmp_path):
    with brokers.valkey(tmp_path, auth="right") as port:
        line = refusal(f"redis://:secret@127.0.0.1:{port}/0")
        assert f"redis://:***@127.0.0.1:{port}/0: the password or user is wrong" in line
        assert "wants a password" in refusal(f"redis://127.0.0.1:{port}/0")


ODD = "p@ss:w/or#d%[x]?&+;%41"
CODES = quote(ODD, safe="")


def connects(url: str) -> None:
    """See that a broker is fit, and that Celery's connections and results find it too."""
    address = BrokerAddress.parse(url)
    health.require(address)
    settings = address.celery()
    options = settings["broker_transport_options"]
    with Connection(settings["broker_url"], transport_options=options) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.1)
        assert connection.default_channel.client.ping()
    app = Celery(set_as_current=False)
    app.conf.update(settings)
    assert app.backend.client.ping()


def test_an_odd_password_in_codes_opens_a_broker_in_every_form(tmp_path):
    socket_file = tmp_path / "s"
    made = brokers.certificate(tmp_path / "tls")
    with (
        brokers.valkey(tmp_path / "server", auth=ODD, unixsocket=str(socket_file)) as port,
        brokers.sentinel(tmp_path / "sentinel", master_port=port, auth=ODD) as sentinel,
    ):
        connects(f"redis://:{CODES}@127.0.0.1:{port}/0")
        connects(f"redis://default:{CODES}@localhost:{port}/1")
        connects(f"redis+socket://:{CODES}@{quote(str(socket_file))}")
        where = f"sentinel://:{CODES}@127.0.0.1:{sentinel};sentinel://:{CODES}@127.0.0.1:{brokers.free_port()}"
        eventually(lambda: not connects(f"{where}/0?master_name=music"), ignoring=(BrokerError,))
        with redis.Redis(port=sentinel) as client:
            client.execute_command("ACL", "SETUSER", "default", "resetpass", f">{ODD}")
        assert "a Sentinel wants a password, or another one" in refusal(f"{where}/0?master_name=music")
        connects(f"{where}/0?master_name=music&sentinel_password={CODES}")
        assert "password or user is wrong" in refusal(f"redis://:{CODES}x@127.0.0.1:{port}/0")
        if made is not None:
            with brokers.tls_proxy(port, *made) as tls:
                connects(f"rediss://:{CODES}@127.0.0.1:{tls}/0?ssl_ca_certs={made[0]}")


def test_an_odd_password_in_codes_opens_a_broker_over_ipv6(tmp_path):
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("needs ::1")
    with brokers.valkey(tmp_path, auth=ODD) as port, redis.Redis(port=port, password=ODD) as client:
        client.config_set("bind", "127.0.0.1 ::1")
        connects(f"redis://:{CODES}@[::1]:{port}/0")


@pytest.mark.parametrize("password", ["secret%zz", "secret+ss", "secret%40", "se@secret"])
def test_a_wrong_password_that_may_want_codes_is_told_them(tmp_path, password):
    with brokers.valkey(tmp_path, auth="right") as port:
        line = refusal(f"redis://:{password}@127.0.0.1:{port}/0")
        assert line.endswith(
            "the password or user is wrong; mend it in the address; write characters such as "
            "@ : / ? # [ ] % in a password as %40 %3A %2F %3F %23 %5B %5D %25"
        )
        assert "%40" not in refusal(f"redis://:secret@127.0.0.1:{port}/0")


def test_a_database_that_is_not_there(tmp_path):
    with brokers.valkey(tmp_path) as port:
        assert "no such database" in refusal(f"redis://127.0.0.1:{port}/99")


def test_nobody_listens():
    assert "is it running" in refusal(f"redis://127.0.0.1:{brokers.free_port()}/0")
    assert "is it running" in refusal("redis://no-such-host.invalid:6379/0")


def test_another_program_listens_there():
    # given a web server
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert "no Redis or Valkey" in refusal(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        thread.join(10)


def test_a_broker_whose_memory_is_full(tmp_path):
    with brokers.valkey(tmp_path) as port:
        fill(port)
        assert "memory is full; raise its maxmemory" in refusal(f"redis://127.0.0.1:{port}/0")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_broker_that_drops_keys(tmp_path, policy):
    with brokers.valkey(tmp_path, maxmemory="100mb", maxmemory_policy=policy) as port:
        assert f"maxmemory-policy {policy}" in refusal(f"redis://127.0.0.1:{port}/0")


def test_a_policy_without_a_bound_drops_nothing(tmp_path):
    with brokers.valkey(tmp_path, maxmemory_policy="allkeys-lru") as port:
        health.require(BrokerAddress.parse(f"redis://127.0.0.1:{port}/0"))


def test_a_replica(tmp_path):
    with (
        brokers.valkey(tmp_path / "primary") as primary,
        brokers.valkey(tmp_path / "replica", replicaof=f"127.0.0.1 {primary}") as port,
    ):
        assert "replica" in refusal(f"redis://127.0.0.1:{port}/0")


@pytest.fixture
def made(tmp_path):
    """A certificate and its key."""
    found = brokers.certificate(tmp_path / "tls")
    if found is None:
        pytest.skip("needs openssl to make a certificate")
    return found


def test_tls_is_verified(tmp_path, made):
    with brokers.valkey(tmp_path / "server", auth="secret") as plain, brokers.tls_proxy(plain, *made) as port:
        health.require(BrokerAddress.parse(f"rediss://:secret@127.0.0.1:{port}/0?ssl_ca_certs={made[0]}"))
        assert "certificate is not trusted" in refusal(f"rediss://:secret@127.0.0.1:{port}/0")
        health.require(BrokerAddress.parse(f"rediss://:secret@127.0.0.1:{port}/0?ssl_cert_reqs=none"))
        assert "rediss://" in refusal(f"redis://:secret@127.0.0.1:{port}/0")
        assert "write redis:// instead" in refusal(f"rediss://:secret@127.0.0.1:{plain}/0")


def test_sentinels_name_the_server(tmp_path):
    with (
        brokers.valkey(tmp_path / "server", auth="secret") as server,
        brokers.sentinel(tmp_path / "sentinel", master_port=server, auth="secret") as port,
    ):
        silent = brokers.free_port()
        where = f"sentinel://:secret@127.0.0.1:{silent};sentinel://127.0.0.1:{port}/1?master_name"
        eventually(lambda: not health.require(BrokerAddress.parse(f"{where}=music")), ignoring=(BrokerError,))
        BrokerAddress.parse(f"{where}=music").client().set("here", "1")
        with redis.Redis(port=server, db=1, password="secret") as client:  # noqa: S106 - of a server of this test
            assert client.get("here") == b"1"
        assert "is master_name right?" in refusal(f"{where}=songs")
        wrong = where.replace("secret", "secret2")
        assert "password or user is wrong" in refusal(f"{wrong}=music")


def test_a_worker_of_another_version_is_named_with_both(tmp_path):
    with brokers.valkey(tmp_path) as port:
        address = BrokerAddress.parse(f"redis://127.0.0.1:{port}/0")
        workers = WorkerList(address.client())
        workers.write("extract@nas", Heartbeat(version=own_version()))
        health.require_same_version(address)
        workers.write("extract@attic", Heartbeat(version="99.1"))
        with pytest.raises(UsageError, match=rf"extract@attic is chordal 99.1, this is chordal {own_version()}"):
            health.require_same_version(address)
        workers.remove("extract@attic")
        health.require_same_version(address)


def test_a_worker_of_an_older_version_is_named_with_both_while_it_is_alive(tmp_path):
    with brokers.valkey(tmp_path) as port:
        address = BrokerAddress.parse(f"redis://127.0.0.1:{port}/0")
        client = address.client()
        # what a worker wrote before it wrote more
        client.sadd(NAMES, "extract@attic")
        key = "chordal:version:extract@attic"
        client.set(key, '{"version": "0.0.1", "held": 1, "extracts": true, "unseen": ""}', px=15_000)
        with pytest.raises(UsageError, match=rf"extract@attic is chordal 0.0.1, this is chordal {own_version()}"):
            health.require_same_version(address)
        client.pexpire(key, 1)
        eventually(lambda: not health.require_same_version(address), ignoring=(UsageError,))


def fill(port: int) -> None:
    """Fill a server's memory with somebody else's keys."""
    with redis.Redis(port=port) as client:
        client.set("somebody else's", bytes(2_000_000))
        client.config_set("maxmemory", "1mb")
