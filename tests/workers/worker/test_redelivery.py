"""Messages that no worker claims are found, and no others."""

import pytest

from pipeline.versions import own_version
from workers.broker.heartbeats import Heartbeat, WorkerList
from workers.worker.redelivery import CLAIM_MS, CLAIMS, SETTLE_S, AbandonedMessages

UNACKED = "unacked"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def client(broker):
    with broker.client() as opened:
        yield opened


def hold(client, *tags: str) -> None:
    """Note that messages are with workers, as kombu does."""
    client.hset(UNACKED, mapping=dict.fromkeys(tags, "[]"))


def test_what_nobody_claims_for_some_seconds_is_abandoned(client):
    clock = Clock()
    one, other = AbandonedMessages(client, now_s=clock), AbandonedMessages(client, now_s=clock)
    hold(client, "a", "b", "c")
    for _ in range(3):
        assert one.claim(["a"], UNACKED) == []
        assert other.claim(["b"], UNACKED) == []
        clock.now_s += SETTLE_S / 3
    assert one.claim(["a"], UNACKED) == ["c"]
    assert other.claim(["b"], UNACKED) == ["c"]

    # one that is claimed late, or gone, is none
    assert other.claim(["b", "c"], UNACKED) == []
    clock.now_s += SETTLE_S
    assert one.claim(["a"], UNACKED) == []
    client.hdel(UNACKED, "c")
    assert one.claim([], UNACKED) == []


def test_the_claims_of_a_worker_that_fell_silent_end_also_when_the_brokers_clock_was_set_back(client):
    clock = Clock()
    one = AbandonedMessages(client, now_s=clock)
    hold(client, "ended", "ahead", "mine")
    now_ms = client.time()[0] * 1000
    client.zadd(CLAIMS, {"ended": now_ms - 1, "ahead": now_ms + 3_600_000})
    assert one.claim(["mine"], UNACKED) == []
    clock.now_s += SETTLE_S
    assert sorted(one.claim(["mine"], UNACKED)) == ["ahead", "ended"]
    [(tag, ends_ms)] = client.zrange(CLAIMS, 0, -1, withscores=True)
    assert tag == "mine"
    assert now_ms < ends_ms <= now_ms + CLAIM_MS + 60_000


def test_while_a_worker_of_another_version_is_there_nothing_is_put_back(client):
    clock = Clock()
    one = AbandonedMessages(client, now_s=clock)
    hold(client, "a")
    one.claim([], UNACKED)
    clock.now_s += SETTLE_S
    WorkerList(client).write("old@host", Heartbeat(version="0.0.1"))
    assert one.claim([], UNACKED) == []
    WorkerList(client).write("old@host", Heartbeat(version=own_version()))
    assert one.claim([], UNACKED) == ["a"]
