"""What the parts of a worker have in common that act every two seconds, in the loop that takes messages."""

from typing import Any

from celery import bootsteps

from workers.app import context

EVERY_S = 2.0


class PeriodicStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """A bootstep of Celery's consumer that acts with each new connection, before its first message, and then again."""

    requires: tuple[Any, ...] = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        # The loop waits for its answers, and everything else in the worker for the loop: rather none than a late one.
        self.client = context.current().settings.broker.client(timeout_s=1.0, retries=0)
        self._timer: Any = None

    def act(self, consumer: Any) -> None:
        """Do what the part is for."""
        raise NotImplementedError

    def start(self, consumer: Any) -> None:
        """Begin; called with every new connection."""
        self.act(consumer)
        self._timer = consumer.timer.call_repeatedly(EVERY_S, self.act, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Stop; the connection is gone or the worker ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def shutdown(self, consumer: Any) -> None:
        """Stop for good; the worker ends."""
        self.stop(consumer)
