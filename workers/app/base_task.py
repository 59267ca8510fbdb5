"""What all tasks of a run share: retries, and how their failures reach the run."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import redis
from celery import Task
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.utils.log import get_task_logger

from pipeline.errors import StoreError, TransientError
from workers.app import context
from workers.app.settings import BACKOFF_S

log = get_task_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RETRY: dict[str, Any] = {
    "autoretry_for": (TransientError, redis.RedisError),
    "retry_backoff": True,
    "retry_backoff_max": BACKOFF_S,
    "max_retries": 5,
    "default_retry_delay": 1,  # seconds; of a task whose worker was lost, 180 otherwise
}


class RunTask(Task):  # type: ignore[misc]
    """A task that leaves the reason with its run when it fails for good; the waiting command prints it."""

    abstract = True

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Leave a line for the command that waits, and stop the run when the store cannot be written."""
        order, run_id = _order_of(args), _run_of(args, kwargs)
        if run_id is None:
            return
        counters = context.current().counters
        if isinstance(exc, TimeLimitExceeded) and "track_id" in order:
            # In the worker's parent, which has just killed the process; the next delivery records the failure.
            counters.time_out(run_id, order["track_id"])
        counters.add_trouble(run_id, f"{self.name}: {exc}")
        if isinstance(exc, StoreError):
            counters.stop(run_id, str(exc))

    def on_retry(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Leave a line for the command that waits when the task's process was lost, by a signal or an exit."""
        run_id = _run_of(args, kwargs)
        if run_id is None or not isinstance(exc, WorkerLostError):
            return
        # In the worker's parent, which goes on without a broker, too.
        with suppress(redis.RedisError):
            self.note_loss(run_id, _order_of(args), f"a process of worker {self.request.hostname} ended ({_end(exc)})")

    def note_loss(self, run_id: str, order: dict[str, Any], line: str) -> None:
        """Leave a line about a process that was lost; `order` is the task's first argument where that is one."""
        context.current().counters.add_trouble(run_id, f"{self.name}: {line}")

    def signature_from_request(self, request: Any = None, *args: Any, **options: Any) -> Any:
        """Return the task to be sent again, its arguments as readable as the first time."""
        again = super().signature_from_request(request, *args, **options)
        first = self.request if request is None else request
        return again.set(argsrepr=first.argsrepr, kwargsrepr=first.kwargsrepr)


def _order_of(args: Any) -> dict[str, Any]:
    return args[0] if args and isinstance(args[0], dict) else {}


def _run_of(args: Any, kwargs: Any) -> str | None:
    run_id: str | None = kwargs.get("run_id") or _order_of(args).get("run_id")
    return run_id


def _end(error: WorkerLostError) -> str:
    """Return how a process ended, `exitcode 3` or `signal 9 (SIGKILL)`, from the words of Celery's pool."""
    return re.sub(r"^Worker exited prematurely: |( Job: \d+)?\.$", "", str(error))


def exit_on_memory_error(work: Callable[P, R]) -> Callable[P, R]:
    """Let a task's process end when its memory runs out, as if the kernel had ended it.

    The attempt counts, and the next one is made by a new process with all its memory free. Celery's main process does
    not survive a task's `MemoryError`.
    """

    @wraps(work)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except MemoryError as error:
            # Free the frames, and with them what filled the memory: the line needs some.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            log.error("out of memory (%s); this process ends", error)  # noqa: TRY400 - there is no traceback any more
            raise SystemExit(1) from None

    return wrapper
