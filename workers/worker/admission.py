"""The door of a worker: which messages it lets in, and what it tells of itself for those who send them.

Every message carries the version that sent it, and every worker tells its own every few seconds. A command refuses to
start while a worker of another version lives. What slips through is sorted out where it arrives: a task of a newer
chordal is put back, and the worker that is too old for it ends; one of an older chordal is dropped, and its run is
told. Nothing is lost by that: the store says what is left to do. Likewise a file's task is put back where its library
is not there, and the worker takes no more of them until it is.

With that a worker claims the messages that it holds, so that those that nobody holds are put back; see `orphans`.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import redis
from celery import bootsteps
from celery.exceptions import TaskRevokedError, WorkerShutdown
from celery.signals import task_received
from packaging.version import Version

from pipeline.errors import ChordalError
from workers.app import context, task_names
from workers.app.settings import BACKOFF_S
from workers.broker.headers import HEADER, RUN_HEADER, mine
from workers.broker.heartbeats import Told, leave, tell
from workers.extraction.mounts import MountCheck
from workers.worker import redelivery

TELL_S = 2.0
REFUSED = 2
"""The exit status of a worker that is too old for what is queued."""

FILES = "extract"

SIGHT = MountCheck()
"""What this worker's host sees; the governor asks it too."""

REFUSALS: list[str] = []
"""Why this worker ended, if it was too old for a task."""

log = logging.getLogger(__name__)


class Admission(bootsteps.StartStopStep):  # type: ignore[misc]
    """The part of a worker that tells its version, and looks at the version of each message before it is worked on."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        broker = context.current().settings.broker
        self._client = broker.client(timeout_s=1.0, retries=0)
        self._orphans = redelivery.AbandonedMessages(self._client) if broker.amqp is None else None
        self._consumer = consumer
        self._telling: Any = None
        self._extracts = False

    def start(self, consumer: Any) -> None:
        """Begin; called with every new connection, before the first message is taken."""
        self._extracts = any(queue.name == FILES for queue in consumer.task_consumer.queues)
        task_received.connect(self._received, sender=consumer)
        self._tell(consumer)
        self._telling = consumer.timer.call_repeatedly(TELL_S, self._tell, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Stop; the connection is gone or the worker ends."""
        task_received.disconnect(self._received, sender=consumer)
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    def shutdown(self, consumer: Any) -> None:
        """Say goodbye."""
        self.stop(consumer)
        try:
            leave(self._client, consumer.hostname)
        except redis.RedisError:
            return  # it will be missed

    def _tell(self, consumer: Any) -> None:
        SIGHT.again(context.current())
        holds = redelivery.held()
        said = Told(version=mine(), held=len(holds), extracts=self._extracts, unseen=SIGHT.unseen)
        try:
            tell(self._client, consumer.hostname, said)
            if self._orphans is not None:  # RabbitMQ knows by itself who holds what
                self._put_back(self._orphans, holds, consumer.task_consumer.channel)
        except redis.RedisError:
            return  # told again soon

    @staticmethod
    def _put_back(known: redelivery.AbandonedMessages, holds: tuple[str, ...], channel: Any) -> None:
        for tag in known.look(holds, channel.unacked_key):
            log.warning("message %s is with no worker any more, and is put back", tag)
            redelivery.put_back(channel, tag)

    def _received(self, request: Any, **_: Any) -> None:
        """Refuse what cannot be worked on, before anything is done about it."""
        now = datetime.now(UTC)
        if request.eta is not None and (request.eta - now).total_seconds() > BACKOFF_S:
            # No pause is so long: the clock of whoever set it was ahead, or this one was set back. It is over.
            request._eta = now
        theirs = request.request_dict.get(HEADER)
        run_id = request.request_dict.get(RUN_HEADER)
        if theirs not in {None, mine()}:
            self._refuse(request, theirs, run_id)
        elif run_id is not None and request.name == task_names.EXTRACT_TRACK:
            self._see(request, run_id)

    def _see(self, request: Any, run_id: str) -> None:
        """Put a file's task back whose library is not there; the governor closes the queue for as long."""
        try:
            unseen = SIGHT.look(context.current(), run_id)
        except ChordalError:
            return  # the ledger cannot be read; the task will say so
        if unseen:
            log.warning("library %s; takes no files until it is there", unseen)
            self._consumer.task_consumer.cancel_by_queue(FILES)
            request.reject(requeue=True)
            request.execute_using_pool = _not_executed

    def _refuse(self, request: Any, theirs: str, run_id: str | None) -> None:
        newer = Version(theirs) > Version(mine())
        line = f"a task of chordal {theirs} came to worker {request.hostname}, which is chordal {mine()}"
        mend = "install the same version on both"
        log.error("%s; %s; the task is %s", line, mend, "put back, and this worker ends" if newer else "dropped")
        if run_id is not None:
            self._tell_run(run_id, f"{line}; {mend}", newer=newer)
        # Put back for a worker that understands it; this one would take it again and again. What is too old goes:
        # nobody will understand it any more, and whoever sent it has been told.
        request.reject(requeue=newer)
        request.execute_using_pool = _not_executed
        if newer:
            REFUSALS.append(f"{line}; {mend}; the task is put back")
            raise WorkerShutdown(REFUSED)

    def _tell_run(self, run_id: str, line: str, *, newer: bool) -> None:
        counters = context.current().counters
        try:
            if newer:
                counters.trouble(run_id, line)
            else:
                counters.stop(run_id, line)
        except redis.RedisError:
            return  # the log has it


def _not_executed(*_: Any, **__: Any) -> None:
    raise TaskRevokedError("refused at the door")
