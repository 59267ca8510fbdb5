"""Queues whose depths come over AMQP, with kombu's transport in memory, and what workers hold from their heartbeats."""

from types import SimpleNamespace

import pytest
from kombu import Connection

from workers.broker import rabbitmq
from workers.broker.heartbeats import KEPT_S, Heartbeat, WorkerList
from workers.broker.rabbitmq import SETTLE_S, RabbitQueues

AMQP = "memory://"


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(rabbitmq, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def test_what_waits_and_what_living_workers_hold_is_counted(client):
    queues = RabbitQueues(client, AMQP)
    with (
        Connection(AMQP) as connection,
        connection.SimpleQueue("extract") as queue,
        connection.SimpleQueue("store"),
    ):
        for number in range(3):
            queue.put({"number": number})
        assert queues.depths(("extract", "store")) == {"extract": 3, "store": 0}
        workers = WorkerList(client)
        for name in ("one@here", "two@here", "dead@here"):
            workers.write(name, Heartbeat(version="1", held=2, kept_s=KEPT_S))
        client.pexpire("chordal:version:dead@here", 1_000_000)
        assert queues.unacknowledged() == 4
        assert queues.queued(("extract",)) == 7
        queue.clear()


def test_nothing_is_certain_before_workers_have_written_what_they_took(client, clock):
    queues = RabbitQueues(client, AMQP)
    with Connection(AMQP) as connection, connection.SimpleQueue("store"):
        assert queues.queued(("store",)) == 1
        clock.now_s += SETTLE_S
        assert queues.queued(("store",)) == 0
