"""A run from the command's side: plan it, scan, publish, wait, heal, and sum up."""

import gc
import secrets
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from pipeline.errors import StoreError
from pipeline.recipe import Recipe
from pipeline.runs import RunPlan
from pipeline.versions import software_versions
from pipeline.wire import Value
from workers import flow, producer
from workers.address import BrokerAddress
from workers.app import configure
from workers.context import Context, Doors
from workers.progress import View
from workers.session import Session, session
from workers.settings import Settings
from workers.waiting import BROKER_ERRORS, wait_for_end
from workers.watching import Watcher

if TYPE_CHECKING:
    from storage import RunLedger


class Wanted(Value, frozen=True, kw_only=True):
    """What the command line asked for."""

    command: tuple[str, ...]
    libraries: tuple[str, ...]
    recipe: Recipe
    labels: str = "folder"
    groups: str | None = None
    folds: str | None = None
    seed: int = 1
    extract: bool = True
    learn: bool = True
    workers: int | None = None
    broker: BrokerAddress | None = None
    max_duration_s: float = 4 * 3600.0


class Finished(Value, frozen=True, kw_only=True):
    """What came of a run, for the summary."""

    plan: RunPlan
    found: producer.ScanSummary


def plan_run(wanted: Wanted, ledger: "RunLedger") -> RunPlan:
    """Write the plan of a new run to the ledger and return it."""
    now = datetime.now(UTC)
    earlier = [ledger.plan(run_id).sequence for run_id in ledger.run_ids()[-1:]]
    plan = RunPlan(
        run_id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        command=wanted.command,
        libraries=wanted.libraries,
        recipe=wanted.recipe,
        labels=wanted.labels,
        groups=wanted.groups,
        folds=wanted.folds,
        seed=wanted.seed,
        # A clock that was set back must not make this run's records look older than the last one's.
        sequence=max([time.time_ns() // 1_000_000, *(sequence + 1 for sequence in earlier)]),
        created=now.isoformat(timespec="seconds"),
        extract=wanted.extract,
        learn=wanted.learn,
        max_duration_s=wanted.max_duration_s,
        versions=software_versions(),
    )
    ledger.create(plan)
    return plan


def scan(context: Doors, wanted: Wanted, view: View) -> Finished:
    """Plan a run and scan its libraries into the ledger."""
    plan = plan_run(wanted, context.ledger)
    view.stage("scan")
    found = producer.write_shards(context, plan, seen=lambda files: view.update("scan", files))
    for problem in found.unreadable:
        view.line(f"cannot look into {problem}")
    if found.gone:
        view.line(f"{found.gone} files that were there before are gone, and marked deleted")
    if plan.learn:
        producer.check_labels(plan, found)
    if found.unlabelled and plan.learn:
        view.line(f"{found.unlabelled} of {found.files} files have no label and are not learned from")
    view.finish("scan", found.files, note=f"{found.files} files, {len(found.labels)} labels")
    return Finished(plan=plan, found=found)


def execute(home: Path, wanted: Wanted, view: View) -> Finished:
    """Carry out what was asked, from the scan to the report.

    Raises `UsageError` for what cannot be done, `RunFailedError` for a run that broke. However it ends, what was
    started is taken down, and what was committed stays.
    """
    if wanted.broker is not None:
        wanted.broker.check()
    # Before anything is started: a mistake in the labels is told at once.
    finished = scan(Doors(home), wanted, view)
    run_id = finished.plan.run_id
    with session(home, wanted.broker, wanted.workers) as running:
        context = _client(home, running)
        stop = threading.Event()
        publisher = threading.Thread(target=_publish, args=(context, finished.plan, stop), name="publisher")
        try:
            publisher.start()
            watcher = Watcher(context, finished.plan, finished.found, view)
            wait_for_end(context, running, watcher, publisher)
        except BaseException:
            with suppress(redis.RedisError):
                context.counters.cancel(run_id)
            raise
        finally:
            stop.set()
            publisher.join()
            # Results that Celery still holds ask the broker to forget them when they go: before it does.
            gc.collect()
        return finished


def _client(home: Path, running: Session) -> Context:
    from workers import context

    configure(Settings(home=str(home), broker=running.broker), "client")
    return context.current()


def _publish(context: Context, plan: RunPlan, stop: threading.Event) -> None:
    """Publish the run; a broker or store that fails here is told to the waiting thread and healed by its sweep."""
    try:
        if plan.extract:
            producer.publish_all(context, plan, stop=stop)
        elif context.ledger.claim(plan.run_id, "learning"):
            flow.publish_plan(plan.run_id)
    except StoreError as error:
        context.counters.stop(plan.run_id, str(error))
    except BROKER_ERRORS:
        return  # the sweep publishes the rest when the broker is back
