"""Events in batches: a worker sends those of its tasks a few times a second, not three times a task.

Celery sends the events of each turn of its loop at once, which for short tasks is a message per event: a third of all
the work of a worker's main process. Readers take many in one message as well, each with its own time.
"""

from typing import Any

from celery import bootsteps

DELAY_S = 0.2
"""How long an event may wait; Celery sends two dozen of them sooner."""


class EventBatches(bootsteps.StartStopStep):  # type: ignore[misc]
    """The part of a worker that collects events for a moment."""

    requires = ("celery.worker.consumer.events:Events",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._consumer = consumer
        self._waiting: Any = None

    def start(self, consumer: Any) -> None:
        """Begin; called with every new connection, which has another dispatcher."""
        consumer.event_dispatcher.on_send_buffered = self._send_soon

    def stop(self, consumer: Any) -> None:
        """Send what is left; the connection is gone or the worker ends."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._send()

    def _send_soon(self) -> None:
        if self._waiting is None:
            self._waiting = self._consumer.timer.call_after(DELAY_S, self._send)

    def _send(self) -> None:
        self._waiting = None
        self._consumer.event_dispatcher.flush()
