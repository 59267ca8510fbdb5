"""The part of a worker that follows the home's controls.

It runs in the worker's main process, in the loop that takes messages from the queues. What is held back is never taken
from the queue: other workers may have it, a pause keeps no task in a process, and nothing is delivered again because it
waited here.
"""

import logging
from datetime import datetime
from typing import Any

import psutil
import redis
from celery.signals import task_received

from pipeline.errors import StoreError
from workers.app import context, controls, task_names
from workers.app.controls import Controls
from workers.app.settings import QUEUES
from workers.broker.counters import Counters
from workers.broker.rate_limit import RateLimit
from workers.worker import niceness
from workers.worker.admission import FILES, MOUNTS
from workers.worker.periodic import PeriodicStep

AT_LIMIT = "waiting for its turn under the cap"
AGAIN_S = 1.0
"""How long a worker waits for leave when the broker does not answer."""

log = logging.getLogger(__name__)


class Throttle(PeriodicStep):
    """Holds a worker to the controls: which queues it takes from, how politely its processes work."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        consumer.throttle = self  # where other parts find it, as is Celery's custom
        self._home = context.current().path
        self._counters = Counters(self.client)
        self._limit = RateLimit(self.client)
        self._consumer = consumer
        self._controls = Controls()
        self._reason = ""
        """Why nothing new is taken; empty when it is."""
        self._has_leave = False
        """Whether the next file may be taken, where their number is limited."""
        self._waiting: Any = None
        """The timer's entry for when leave is asked for again."""
        self._troubles: dict[str, str] = {}
        self.queues: tuple[str, ...] = ()
        """The queues that the worker was started for, open or not."""

    @property
    def doing(self) -> str:
        """`working`, or why the worker takes nothing new."""
        return self._reason or (AT_LIMIT if self._waiting is not None else "working")

    @property
    def nice(self) -> int:
        """What the controls add to the niceness of the worker's processes."""
        return self._controls.nice

    def start(self, consumer: Any) -> None:
        """Follow the controls from now on; called with every new connection, before the first message is taken."""
        self.queues = tuple(queue.name for queue in consumer.task_consumer.queues)
        self._has_leave, self._waiting = False, None
        task_received.connect(self._count, sender=consumer)
        super().start(consumer)

    def stop(self, consumer: Any) -> None:
        """Stop following; the connection is gone or the worker ends."""
        task_received.disconnect(self._count, sender=consumer)
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        super().stop(consumer)

    def act(self, consumer: Any) -> None:
        """Read the controls and do what they say."""
        try:
            latest = controls.load(self._home)
            self._log_trouble("controls", "")
        except StoreError as error:
            latest = self._controls
            self._log_trouble("controls", f"{error}; the last ones known are kept")
        if latest != self._controls:
            log.info("controls: %s", controls.describe(latest))
            self._controls = latest
        reason = controls.hold_reason(latest, datetime.now().astimezone().time())
        if reason != self._reason:
            log.info("takes nothing new: %s", reason) if reason else log.info("takes work again")
            self._reason = reason
        MOUNTS.check_missing(context.current(), self._is_cancelled)
        self._open_and_close()
        self._set_niceness()

    def _open_and_close(self) -> None:
        """Take from the queues that may be taken from now, and from no other."""
        for queue in self.queues:
            is_open = queue not in QUEUES or not self._reason
            if queue == FILES and MOUNTS.missing:
                is_open = False  # a library is not there on this host; others may see it
            if is_open and queue == FILES and self._controls.files_per_minute is not None:
                is_open = self._acquire_leave()
            self._set_queue(queue, is_open=is_open)

    def _set_queue(self, queue: str, *, is_open: bool) -> None:
        consumer = self._consumer.task_consumer
        # Before the loop begins it knows its queues and takes from none; the loop then takes from all it knows.
        if is_open == any(each.name == queue for each in consumer.queues):
            return
        # Not by the worker's own methods: they write a line to the log for every file under a limit.
        if is_open:
            consumer.add_queue(self._consumer.app.amqp.queues[queue])
            consumer.consume()
        else:
            consumer.cancel_by_queue(queue)

    def _acquire_leave(self) -> bool:
        """Return whether the next file may be taken; if not, ask again when it may."""
        if self._has_leave:
            return True
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        try:
            wait_s = self._limit.acquire(self._controls.files_per_minute or 1)
        except redis.RedisError:
            wait_s = AGAIN_S
        self._has_leave = wait_s == 0.0
        if not self._has_leave:
            self._waiting = self._consumer.timer.call_after(wait_s, self._ask_again)
        return self._has_leave

    def _ask_again(self) -> None:
        self._waiting = None
        self._open_and_close()

    def _count(self, request: Any, **_: Any) -> None:
        """Count a file that was taken, before the next one can be."""
        if self._controls.files_per_minute is None or request.name != task_names.EXTRACT_TRACK:
            return
        if not self._is_cancelled(request.args[0]["run_id"]):
            self._has_leave = False
            self._open_and_close()

    def _is_cancelled(self, run_id: str) -> bool:
        """Return whether a run's tasks return at once: no leave is needed for them, and no library."""
        try:
            return self._counters.is_cancelled(run_id)
        except redis.RedisError:
            return False

    def _set_niceness(self) -> None:
        process = psutil.Process()
        nice = niceness.child_niceness(process.nice(), self._controls.nice)
        self._log_trouble("nice", niceness.apply(process.children(recursive=True), nice=nice, io=self._controls.io))

    def _log_trouble(self, what: str, line: str) -> None:
        """Log a line about something that does not work, once."""
        if line and line != self._troubles.get(what):
            log.warning("%s", line)
        self._troubles[what] = line
