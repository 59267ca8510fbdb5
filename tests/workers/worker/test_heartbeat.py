"""A worker's heartbeat, written to a real broker."""

from types import SimpleNamespace

import pytest

from pipeline.versions import own_version
from workers.app import context as process
from workers.broker.heartbeats import KEPT_S, Heartbeat, heartbeats
from workers.worker.heartbeat import HeartbeatWriter


class Timer:
    """A timer whose time never passes."""

    @staticmethod
    def call_repeatedly(_seconds: float, _function, _arguments) -> SimpleNamespace:
        return SimpleNamespace(cancel=lambda: None)


@pytest.fixture
def consumer(context, monkeypatch):
    """What a bootstep sees of a worker for files that is paused."""
    monkeypatch.setattr(process, "_process", [context])
    return SimpleNamespace(
        hostname="extract@here",
        timer=Timer(),
        pool=SimpleNamespace(num_processes=3),
        throttle=SimpleNamespace(queues=("extract", "store"), doing="paused", nice=7),
    )


def test_a_worker_is_listed_from_its_start_to_its_end(consumer, broker):
    writer = HeartbeatWriter(consumer)
    writer.start(consumer)
    assert heartbeats(broker.client()) == {
        "extract@here": Heartbeat(
            version=own_version(),
            extracts=True,
            host="here",
            processes=3,
            queues=("extract", "store"),
            doing="paused",
            nice=7,
            kept_s=KEPT_S,
        )
    }
    writer.stop(consumer)
    assert len(heartbeats(broker.client())) == 1
    writer.shutdown(consumer)
    assert heartbeats(broker.client()) == {}


def test_a_broker_that_is_away_does_not_end_a_worker(consumer, running):
    running.stop()
    writer = HeartbeatWriter(consumer)
    writer.start(consumer)
    writer.shutdown(consumer)
