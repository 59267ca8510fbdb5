"""Which messages a worker works on.

Every message carries the version that sent it, and every worker's heartbeat its own. A command refuses to start while
a worker of another version is alive. What slips through is sorted out where it arrives: a task of a newer chordal is
put back, and the worker that is too old for it ends; one of an older chordal is dropped, and its run is stopped with
the reason. Nothing is lost by that: the store says what is left to do. Likewise a file's task is put back where its
library is not there, and the worker takes no more of them until it is.
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
from pipeline.versions import own_version
from workers.app import context, task_names
from workers.app.settings import BACKOFF_S
from workers.broker.headers import HEADER, RUN_HEADER
from workers.extraction.mounts import MountCheck

TOO_OLD = 2
"""The exit status of a worker that is too old for what is queued."""

FILES = "extract"
"""The queue of files."""

MOUNTS = MountCheck()
"""Which libraries this worker's host sees."""

REFUSALS: list[str] = []
"""Why this worker ended, if it was too old for a task."""

log = logging.getLogger(__name__)


class Admission(bootsteps.StartStopStep):  # type: ignore[misc]
    """The part of a worker that checks each message before it is worked on."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._consumer = consumer

    def start(self, consumer: Any) -> None:
        """Begin; called with every new connection, before the first message is taken."""
        task_received.connect(self._check, sender=consumer)

    def stop(self, consumer: Any) -> None:
        """Stop; the connection is gone or the worker ends."""
        task_received.disconnect(self._check, sender=consumer)

    def shutdown(self, consumer: Any) -> None:
        """Stop for good; the worker ends."""
        self.stop(consumer)

    def _check(self, request: Any, **_: Any) -> None:
        """Refuse what cannot be worked on, before anything is done about it."""
        now = datetime.now(UTC)
        if request.eta is not None and (request.eta - now).total_seconds() > BACKOFF_S:
            # No pause is so long: the clock of whoever set it was ahead, or this one was set back. It is over.
            request._eta = now
        version = request.request_dict.get(HEADER)
        run_id = request.request_dict.get(RUN_HEADER)
        if version not in {None, own_version()}:
            self._refuse(request, version, run_id)
        elif run_id is not None and request.name == task_names.EXTRACT_TRACK:
            self._require_library(request, run_id)

    def _require_library(self, request: Any, run_id: str) -> None:
        """Put a file's task back whose library is not there; the throttle closes the queue for as long."""
        try:
            missing = MOUNTS.check(context.current(), run_id)
        except ChordalError:
            return  # the ledger cannot be read; the task will say so
        if missing:
            log.warning("library %s; takes no files until it is there", missing)
            self._consumer.task_consumer.cancel_by_queue(FILES)
            request.reject(requeue=True)
            request.execute_using_pool = _not_executed

    def _refuse(self, request: Any, version: str, run_id: str | None) -> None:
        """Refuse a task of another version, and end this worker when that is the newer one."""
        newer = Version(version) > Version(own_version())
        line = f"a task of chordal {version} came to worker {request.hostname}, which is chordal {own_version()}"
        mend = "install the same version on both"
        log.error("%s; %s; the task is %s", line, mend, "put back, and this worker ends" if newer else "dropped")
        if run_id is not None:
            self._report_to_run(run_id, f"{line}; {mend}", newer=newer)
        # Put back for a worker that understands it; this one would take it again and again. What is too old goes:
        # no worker will understand it any more, and its run has the reason.
        request.reject(requeue=newer)
        request.execute_using_pool = _not_executed
        if newer:
            REFUSALS.append(f"{line}; {mend}; the task is put back")
            raise WorkerShutdown(TOO_OLD)

    def _report_to_run(self, run_id: str, line: str, *, newer: bool) -> None:
        counters = context.current().counters
        try:
            if newer:
                counters.add_trouble(run_id, line)
            else:
                counters.stop(run_id, line)
        except redis.RedisError:
            return  # the log has it


def _not_executed(*_: Any, **__: Any) -> None:
    raise TaskRevokedError("refused by its worker")
