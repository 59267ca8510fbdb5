"""The start of a Celery worker: settings, logging, queues, and nothing heavy before the fork."""

import ctypes
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import platforms
from celery.signals import worker_ready
from celery.utils.nodenames import default_nodename, host_format
from celery.worker import state

from pipeline.errors import BrokerError, ChordalError, UsageError
from pipeline.features.warm import warm
from pipeline.learning.models.runtime import before_tensorflow
from storage.home import prepare_home
from workers.app.celery import configure
from workers.app.path_map import PathMap
from workers.app.settings import SCHEDULE, Role, Settings
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.processes.child import end_with_parent as watch_parent
from workers.processes.child import report_ready
from workers.processes.environment import prepare_process
from workers.processes.host_limits import require_for_workers
from workers.processes.startup import quick_imports
from workers.worker import gpus
from workers.worker.admission import REFUSALS, Admission
from workers.worker.event_batches import EventBatches
from workers.worker.heartbeat import HeartbeatWriter
from workers.worker.redelivery import Redelivery
from workers.worker.throttle import Throttle

LEARNING = {"tune", "train"}
PR_SET_PDEATHSIG = 1
LOG_FORMAT = "%(asctime)s %(processName)s %(levelname)s %(message)s"


def serve(
    *,
    home: Path,
    broker: BrokerAddress,
    queues: Sequence[str],
    concurrency: int,
    name: str | None,
    end_with_parent: bool,
    families: tuple[str, ...] = (),
    maps: tuple[PathMap, ...] = (),
) -> None:
    """Work on the queues until a signal stops it; `families` are those it will be asked for, none for any.

    Raises `UsageError` for a mixture of queues that one worker cannot keep apart or when this chordal is too old for
    the tasks that wait, `BrokerError` when the broker does not answer.
    """
    role = role_of(queues)
    health.require(broker)
    prepare_process(home.absolute())
    require_for_workers(concurrency)
    settings = Settings(home=str(prepare_home(str(home)).path), broker=broker, maps=maps)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    for logger_name in ("celery.app.trace", "celery.worker.strategy"):
        # A line per file received and done: a log as long as the library.
        logging.getLogger(logger_name).setLevel(logging.WARNING)
    if end_with_parent:
        watch_parent()
        worker_ready.connect(_report_ready)
    with quick_imports():
        worker = _load_worker(settings, role, queues, concurrency, name or "-".join(queues))
    if role == "extract" or "extract" in queues:
        # Before the fork: every process of the pool then has what extraction needs, and shares its memory.
        warm(families)
    worker.start()
    if REFUSALS:
        raise UsageError(REFUSALS[0])
    if worker.exitcode and state.should_stop is None and state.should_terminate is None:
        # Not by a signal. Celery has logged why and returns; whoever started this has to see that it failed.
        try:
            health.require(broker)  # the usual reason, in one line
        except BrokerError as error:
            raise ChordalError(str(error)) from error
        sys.exit(worker.exitcode)


def _report_ready(sender: Any, **_: Any) -> None:
    # In the loop, which begins when all processes of the pool have come up; Celery calls this just before.
    sender.timer.call_after(0, report_ready)


def _load_worker(settings: Settings, role: Role, queues: Sequence[str], concurrency: int, name: str) -> Any:
    """Return Celery's worker, ready to start."""
    app = configure(settings, role)
    before_tensorflow(gpus.claim)
    if role == "extract" or "extract" in queues:
        importlib.import_module("pipeline.extraction.extract")
        importlib.import_module("pipeline.kernels.compilation")
    if set(queues) <= LEARNING:
        concurrency = gpus.trainer_count(concurrency)
    platforms._set_pdeathsig = _signal_on_parent_death
    app.steps["consumer"].update((Admission, Throttle, HeartbeatWriter, Redelivery, EventBatches))
    # Not by `app.worker_main`: for a command line it loads all of Celery's commands, Flower and a prompt among them.
    return app.Worker(
        pool_cls="prefork",
        # Nightly runs never overlap.
        concurrency=1 if role == "conduct" else concurrency,
        queues=list(queues),
        hostname=host_format(default_nodename(f"{name}@%h")),
        loglevel="INFO",
        optimization="default",
        without_mingle=True,
        # Nobody asks what it hears of other workers; a broker that refuses it gets a traceback from it in the log.
        without_gossip=True,
    )


def _signal_on_parent_death(number: int) -> None:
    """Have the system send this process a signal when its parent dies.

    In place of Celery's own, which loads cffi and a parser of C for it in each process of the pool. Raises `OSError`
    where there is no such signal.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("no signal when a parent dies")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def role_of(queues: Sequence[str]) -> Role:
    """Return the role of a worker on these queues; one that does both kinds of work has the time limits of a learner.

    Raises `UsageError` for no queue, or for `schedule` beside others: its tasks wait for those of the others.
    """
    if not queues:
        raise UsageError("queues: none given; name at least one with --queues")
    if SCHEDULE in queues:
        if len(queues) > 1:
            raise UsageError(f"queues {','.join(queues)}: {SCHEDULE} needs a worker of its own; start two workers")
        return "conduct"
    return "learn" if LEARNING & set(queues) else "extract"
