"""A broker that goes away, refuses or fills up while it is in use, and comes back."""

import brokers
import pytest
import redis
from conditions import eventually

from workers.broker import probe
from workers.broker.address import BrokerAddress
from workers.broker.probe import BrokerProbe
from workers.cli.inspect.live import ask_broker

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(probe, "EVERY_S", 0.05)
    monkeypatch.setattr(probe, "PATIENCE_S", 0.2)


@pytest.fixture
def server(tmp_path):
    """A server with a user `me`, whose password is `old`."""
    valkey = brokers.Valkey(tmp_path / "server")
    valkey.start()
    with redis.Redis(port=valkey.port) as admin:
        admin.execute_command("ACL", "SETUSER", "me", "on", ">old", "~*", "&*", "+@all")
        yield valkey
    valkey.kill()


@pytest.fixture
def admin(server):
    """A client that may do anything."""
    with redis.Redis(port=server.port) as client:
        yield client


def address_of(server) -> BrokerAddress:
    """Return the address of a server for its user."""
    return BrokerAddress(url=f"redis://me:old@127.0.0.1:{server.port}/0")


def test_a_password_that_is_changed_is_told_once_and_so_is_that_it_is_right_again(server, admin):
    lines: list[str] = []
    with BrokerProbe(address_of(server), lines.append) as probed:
        admin.execute_command("ACL", "SETUSER", "me", "resetpass", ">new")
        admin.execute_command("CLIENT", "KILL", "USER", "me")
        eventually(lambda: probed.trouble)
        eventually(lambda: probed.away_s > 0.5)
        assert "password or user is wrong" in probed.trouble
        admin.execute_command("ACL", "SETUSER", "me", "resetpass", ">old")
        eventually(lambda: len(lines) > 1)
        assert (probed.trouble, probed.away_s) == ("", 0.0)
    where = f"broker redis://me:***@127.0.0.1:{server.port}/0"
    assert lines[0].startswith(f"{where}: the password or user is wrong")
    assert lines[0].endswith("; waiting")
    assert lines[1:] == [f"{where}: back"]


def test_one_that_dies_is_told_once_however_it_is_not_reached_and_refusals_after_it_too(server):
    lines: list[str] = []
    with BrokerProbe(address_of(server), lines.append):
        server.kill()
        eventually(lambda: lines)
        server.start()  # without its user
        eventually(lambda: len(lines) > 1)
    assert "is it running" in lines[0]
    assert "password or user is wrong" in lines[1]


def test_one_that_is_back_at_once_is_no_trouble(server, monkeypatch):
    monkeypatch.setattr(probe, "PATIENCE_S", 60.0)
    lines: list[str] = []
    with BrokerProbe(BrokerAddress(url=f"redis://127.0.0.1:{server.port}/0"), lines.append) as probed:
        server.kill()
        eventually(lambda: probed.away_s)
        server.start()
        eventually(lambda: not probed.away_s)
    assert lines == []


def test_one_without_memory_or_rights_is_told(server, admin):
    lines: list[str] = []
    with BrokerProbe(address_of(server), lines.append) as probed:
        admin.set("somebody else's", bytes(2_000_000))
        admin.config_set("maxmemory", "1mb")
        eventually(lambda: probed.is_full)
        admin.config_set("maxmemory", "0")
        eventually(lambda: not probed.is_full)
        admin.execute_command("ACL", "SETUSER", "me", "-set")
        eventually(lambda: probed.trouble)
        assert not probed.is_full
    assert "its memory is full" in lines[0]
    assert lines[1].endswith(": back")
    assert lines[2].endswith("; waiting")


def test_a_server_that_is_there_and_does_not_answer_is_told(server, monkeypatch):
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.2)
    lines: list[str] = []
    with BrokerProbe(address_of(server), lines.append):
        server.suspend()
        try:
            eventually(lambda: lines)
        finally:
            server.resume()
        eventually(lambda: len(lines) > 1)
    assert lines[0].endswith("; waiting")
    assert lines[1].endswith(": back")


@pytest.mark.parametrize(
    ("taken", "given", "reason"),
    [
        ("-brpop", "+@all", "the user may not run BRPOP"),
        ("-evalsha", "+@all", "the user may not run EVALSHA"),
        ("resetchannels", "&*", "the user may not use the channel"),
        ("resetkeys ~chordal:*", "~*", "the user may not use the key extract"),
    ],
)
def test_a_right_that_is_taken_away_is_told_also_when_the_broker_takes_writes(server, admin, taken, given, reason):
    lines: list[str] = []
    with BrokerProbe(address_of(server), lines.append) as probed:
        admin.execute_command("ACL", "SETUSER", "me", *taken.split())
        eventually(lambda: probed.trouble)
        eventually(lambda: probed.away_s > 0.3)
        assert ask_broker(address_of(server), None).reason == probed.trouble
        admin.execute_command("ACL", "SETUSER", "me", given)
        eventually(lambda: len(lines) > 1)
    where = f"broker redis://me:***@127.0.0.1:{server.port}/0"
    assert reason in lines[0]
    assert lines[1:] == [f"{where}: back"]


def test_one_that_still_refuses_at_the_end_is_not_said_to_be_back(server, admin):
    lines: list[str] = []
    with BrokerProbe(address_of(server), lines.append):
        admin.execute_command("ACL", "SETUSER", "me", "-publish")
        eventually(lambda: lines)
    assert len(lines) == 1
