"""A worker's events, several to a message."""

from types import SimpleNamespace

import pytest
from kombu.asynchronous.timer import Entry

from workers.worker.event_batches import EventBatches


class Dispatcher:
    """What a worker sends its events by; notes how many go in one message."""

    def __init__(self) -> None:
        self.waiting = 0
        self.sent: list[int] = []
        self.on_send_buffered = None

    def send(self) -> None:
        self.waiting += 1
        self.on_send_buffered()

    def flush(self) -> None:
        self.sent.append(self.waiting)
        self.waiting = 0


class Timer:
    """A timer whose time passes only by `pass_time`."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def call_after(self, _seconds: float, function) -> Entry:
        self._entries.append(Entry(function))
        return self._entries[-1]

    def pass_time(self) -> None:
        entries, self._entries = self._entries, []
        for entry in entries:
            if not entry.canceled:
                entry()


@pytest.fixture
def consumer():
    return SimpleNamespace(timer=Timer(), event_dispatcher=Dispatcher())


@pytest.fixture
def batches(consumer) -> EventBatches:
    started = EventBatches(consumer)
    started.start(consumer)
    return started


def test_events_of_a_moment_are_one_message(consumer, batches):
    dispatcher = consumer.event_dispatcher
    for _ in range(2):
        for _ in range(5):
            dispatcher.send()
        consumer.timer.pass_time()
    assert dispatcher.sent == [5, 5]


def test_what_waits_when_a_worker_ends_is_sent(consumer, batches):
    dispatcher = consumer.event_dispatcher
    dispatcher.send()
    batches.stop(consumer)
    consumer.timer.pass_time()
    assert dispatcher.sent == [1]


def test_a_new_connection_has_a_new_dispatcher(consumer, batches):
    consumer.event_dispatcher.send()
    batches.stop(consumer)
    consumer.event_dispatcher = Dispatcher()
    batches.start(consumer)
    consumer.event_dispatcher.send()
    consumer.timer.pass_time()
    assert consumer.event_dispatcher.sent == [1]
