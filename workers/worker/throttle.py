"""The part of a worker that follows the home's controls, and tells that the worker is there.

A bootstep of Celery's consumer: it runs in the worker's main process, in the loop that takes messages from the queues,
and starts again with each new connection to the broker. What is held back is never taken from the queue: other workers
may have it, a pause keeps no task in a process, and nothing is handed out again because it waited here.
"""

import logging
from datetime import datetime
from typing import Any

import psutil
import redis
from celery import bootsteps
from celery.signals import task_received

from pipeline.errors import StoreError
from workers.app import context, controls, task_names
from workers.app.controls import Controls
from workers.app.settings import QUEUES
from workers.broker.counters import Counters
from workers.broker.heartbeats import Crew, Presence
from workers.broker.rate_limit import RateLimit
from workers.worker import niceness
from workers.worker.admission import SIGHT

LOOK_S = 2.0
CAPPED = "extract"
"""The queue of files."""
AT_CAP = "waiting for its turn under the cap"
AGAIN_S = 1.0
"""How long a worker waits for leave when the broker does not answer."""

log = logging.getLogger(__name__)


class Throttle(bootsteps.StartStopStep):  # type: ignore[misc]
    """Holds a worker to the controls: which queues it takes from, how politely its processes work."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        settings = context.current().settings
        # Asked from the loop that everything else in the worker waits for: rather no answer than a late one.
        client = settings.broker.client(timeout_s=1.0, retries=0)
        self._home = context.current().path
        self._counters = Counters(client)
        self._cap = RateLimit(client)
        self._crew = Crew(client)
        self._consumer = consumer
        self._controls = Controls()
        self._held_by = ""
        self._has_leave = False
        """Whether the next file may be taken, where there is a cap."""
        self._waiting: Any = None
        self._looking: Any = None
        self._troubles: dict[str, str] = {}

    def start(self, consumer: Any) -> None:
        """Follow the controls from now on; called with every new connection, before the first message is taken."""
        self._queues = [queue.name for queue in consumer.task_consumer.queues]
        self._has_leave, self._waiting = False, None
        task_received.connect(self._received, sender=consumer)
        self._look()
        self._looking = consumer.timer.call_repeatedly(LOOK_S, self._look)

    def stop(self, consumer: Any) -> None:
        """Stop following; the connection is gone or the worker ends."""
        task_received.disconnect(self._received, sender=consumer)
        for entry in (self._looking, self._waiting):
            if entry is not None:
                entry.cancel()
        self._looking = self._waiting = None

    def shutdown(self, consumer: Any) -> None:
        """Say goodbye."""
        self.stop(consumer)
        try:
            self._crew.leave(consumer.hostname)
        except redis.RedisError:
            return  # it will be missed

    def _look(self) -> None:
        """Read the controls and do what they say."""
        try:
            found = controls.load(self._home)
            self._trouble("controls", "")
        except StoreError as error:
            found = self._controls
            self._trouble("controls", f"{error}; the last ones known are kept")
        if found != self._controls:
            log.info("controls: %s", controls.describe(found))
            self._controls = found
        held_by = controls.held_by(found, datetime.now().astimezone().time())
        if held_by != self._held_by:
            log.info("takes nothing new: %s", held_by) if held_by else log.info("takes work again")
            self._held_by = held_by
        self._open_and_close()
        self._be_polite()
        self._tell()

    def _open_and_close(self) -> None:
        """Take from the queues that may be taken from now, and from no other."""
        for queue in self._queues:
            wanted = queue not in QUEUES or not self._held_by
            if queue == CAPPED and SIGHT.unseen:
                wanted = False  # a library is not there on this host; others may see it
            if wanted and queue == CAPPED and self._controls.files_per_minute is not None:
                wanted = self._may_take()
            self._take_from(queue, wanted=wanted)

    def _take_from(self, queue: str, *, wanted: bool) -> None:
        consumer = self._consumer.task_consumer
        # Before the loop begins it knows its queues and takes from none; the loop then takes from all it knows.
        known = any(each.name == queue for each in consumer.queues)
        if wanted == known:
            return
        # Not by the consumer's own methods: they write a line to the log for every file under a cap.
        if wanted:
            consumer.add_queue(self._consumer.app.amqp.queues[queue])
            consumer.consume()
        else:
            consumer.cancel_by_queue(queue)

    def _may_take(self) -> bool:
        """Tell whether the next file may be taken; if not, ask again when it may."""
        if self._has_leave:
            return True
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        try:
            wait_s = self._cap.take(self._controls.files_per_minute or 1)
        except redis.RedisError:
            wait_s = AGAIN_S
        self._has_leave = wait_s == 0.0
        if not self._has_leave:
            self._waiting = self._consumer.timer.call_after(wait_s, self._turn)
        return self._has_leave

    def _turn(self) -> None:
        self._waiting = None
        self._open_and_close()

    def _received(self, request: Any, **_: Any) -> None:
        """Count a file that was taken, before the next one can be."""
        if self._controls.files_per_minute is None or request.name != task_names.EXTRACT_TRACK:
            return
        if not self._is_cancelled(request.args[0]["run_id"]):
            self._has_leave = False
            self._open_and_close()

    def _is_cancelled(self, run_id: str) -> bool:
        """Tell whether a task will return at once, for which no leave is needed."""
        try:
            return self._counters.cancelled(run_id)
        except redis.RedisError:
            return False

    def _be_polite(self) -> None:
        me = psutil.Process()
        nice = niceness.share(me.nice(), self._controls.nice)
        self._trouble("nice", niceness.apply(me.children(recursive=True), nice=nice, io=self._controls.io))

    def _tell(self) -> None:
        presence = Presence(
            name=self._consumer.hostname,
            host=self._consumer.hostname.rpartition("@")[2],
            processes=self._consumer.pool.num_processes,
            queues=tuple(self._queues),
            doing=self._held_by or (AT_CAP if self._waiting is not None else "working"),
            nice=self._controls.nice,
        )
        try:
            self._crew.tell(presence)
        except redis.RedisError:
            return  # for the eye only

    def _trouble(self, what: str, line: str) -> None:
        """Log a line about something that does not work, once."""
        if line and line != self._troubles.get(what):
            log.warning("%s", line)
        self._troubles[what] = line
