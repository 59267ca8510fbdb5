"""The Celery application and its settings, each with the failure it prevents."""

import gc
from typing import Any

from celery import Celery
from celery.signals import before_task_publish, setup_logging, worker_before_create_process, worker_process_init

from workers.app import context, task_names
from workers.app.settings import QUEUES, SCHEDULE, Role, Settings
from workers.broker import rabbitmq, transport
from workers.broker.headers import stamp
from workers.broker.priorities import STEPS
from workers.broker.rabbitmq import HIGHEST

DAY_S = 24 * 3600

transport.install()
app = Celery("chordal", include=["workers.extraction.tasks", "workers.learning.tasks", "workers.schedule.tasks"])
# Nobody reads results from the backend: Flower has them by events, a chord counts arrivals by itself. Whoever publishes
# would subscribe to each, and fail at that when the broker goes away. Here, as tasks read it when they are made.
app.conf.task_ignore_result = True


def configure(settings: Settings, role: Role) -> Celery:
    """Point the application at a broker and a home, for one role.

    Roles differ in how long the broker waits before it delivers an unacknowledged task again.
    """
    limits_s = {"learn": settings.learn_limit_s, "conduct": settings.conduct_limit_s}
    limit_s = limits_s.get(role, settings.extract_limit_s)
    where = settings.broker.celery()
    if settings.broker.amqp is None:
        where["broker_transport_options"] |= {
            # The last resort for what a worker lost; redelivery by other workers is sooner. Above the hard limit, as a
            # longer task would be delivered without end, and by a day, since hosts measure it by their own clocks.
            "visibility_timeout": limit_s + DAY_S,
            "queue_order_strategy": "priority",
            **unacked_keys(role),
        }
    else:
        where["task_queues"] = rabbitmq.queue_definitions((*QUEUES, SCHEDULE), longest_s=settings.conduct_limit_s)
    app.conf.update(
        **where,
        broker_connection_retry_on_startup=True,
        # For ever: after Celery's hundred times, some fifty minutes, a worker would end.
        broker_connection_max_retries=None,
        task_serializer="json",
        accept_content=["json"],
        result_serializer="json",
        task_routes={f"chordal.{queue}.*": {"queue": queue} for queue in (*QUEUES, SCHEDULE)},
        task_default_queue="store",
        task_create_missing_queues=True,
        # An early acknowledgement and a SIGKILL would lose the task.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        # A retry counts as an attempt; a rejected task would deliver a poisonous file without end.
        task_retry_on_worker_lost=True,
        task_acks_on_timeout=True,
        task_reject_on_worker_lost=False,
        # By task, since a worker may do all kinds of work. A message carries the limit of whoever published it, if it
        # has one, before the worker's own: the client, which sweeps and publishes training too, has none.
        task_annotations=None if role == "client" else time_limits(settings),
        task_track_started=True,
        result_expires=DAY_S,
        # Without it a broker that restarts in the wrong second loses the chord's body.
        result_backend_always_retry=True,
        result_backend_max_retries=20,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts_level="INFO",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        timezone="UTC",
    )
    context.use(settings)
    return app


def time_limits(settings: Settings) -> dict[str, dict[str, int]]:
    """Return the hard time limit of each task, in seconds, as Celery's annotations."""
    limits_s = {
        task_names.EXTRACT_TRACK: settings.extract_limit_s,
        task_names.SEAL_SHARD: settings.extract_limit_s,
        task_names.PLAN_TRIALS: settings.learn_limit_s,
        task_names.RUN_TRIAL: settings.learn_limit_s,
        task_names.FINISH_RUN: settings.learn_limit_s,
        task_names.NIGHTLY: settings.conduct_limit_s,
        task_names.RECONCILE: settings.conduct_limit_s,
        task_names.TIDY: settings.conduct_limit_s,
    }
    return {name: {"time_limit": limit_s} for name, limit_s in limits_s.items()}


def unacked_keys(role: Role) -> dict[str, str]:
    """Return where a role keeps its unacknowledged messages.

    Each kind of worker with a longer timeout keeps its own: an extraction worker would otherwise deliver again a
    training that is still running, and a run would count the nightly task that waits for it as work of its own.
    """
    if role not in {"learn", "conduct"}:
        return {}
    return {
        "unacked_key": f"unacked-{role}",
        "unacked_index_key": f"unacked-{role}-index",
        "unacked_mutex_key": f"unacked-{role}-mutex",
    }


@worker_before_create_process.connect
def _before_fork(**_: Any) -> None:
    """Exclude from garbage collection what is there already.

    The collector writes into every object it visits; each such page would be copied for one of the processes.
    """
    gc.freeze()


@worker_process_init.connect
def _after_fork(**_: Any) -> None:
    """Drop what must not be shared with the parent: HDF5 handles, sockets."""
    context.forget()


@setup_logging.connect
def _logging(**_: Any) -> None:
    """Celery leaves the logging alone: each command has set up its own."""


@before_task_publish.connect
def _stamp(headers: dict[str, Any] | None = None, body: Any = None, **_: Any) -> None:
    """Write the sender's version and the run into the headers of a message."""
    if headers is not None:
        stamp(headers, body)


@before_task_publish.connect
def _turn_priority(properties: dict[str, Any] | None = None, sender: Any = None, **_: Any) -> None:
    """Turn a priority into RabbitMQ's, where the highest number goes first; in ours it is 0.

    Once: the numbers after that are none of our steps.
    """
    if properties is None or app.conf.task_queues is None:
        return
    if (priority := properties.get("priority")) in STEPS:
        properties["priority"] = HIGHEST - priority
