"""A run from the command's side: plan it, scan, publish, wait, heal, and sum up."""

import gc
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from pipeline.errors import StoreError, UsageError
from pipeline.recipe import Recipe, load_recipe
from pipeline.runs import Priority, Purpose, RunPlan
from pipeline.tracks import printable
from pipeline.versions import software_versions
from pipeline.wire import Value
from workers import fitness, interrupts, known, producer, stages, stopping
from workers.address import BrokerAddress
from workers.app import configure
from workers.context import Context, Doors
from workers.going import announced
from workers.progress import View
from workers.publishing import Publisher
from workers.session import Session, session
from workers.settings import Settings
from workers.waiting import wait_for_end
from workers.watching import Watcher

if TYPE_CHECKING:
    from storage import RunLedger


STOPPED = "stopped"
"""The claim in the ledger of a run whose command ended before it did."""


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
    priority: Priority = "normal"
    run_id: str | None = None
    """The id the run shall have; None for a new one."""
    purpose: Purpose = "library"
    chunk_s: float | None = None
    against: str | None = None
    """As in `RunPlan`; so are the two before, and the next."""
    tracking: str | None = None


class Finished(Value, frozen=True, kw_only=True):
    """What came of a run, for the summary."""

    plan: RunPlan
    found: producer.ScanSummary


def recipe_of(name: str, *, trials: int | None, quick: bool = False) -> Recipe:
    """Return a recipe by name or file, in its quick form when asked, with its number of trials overridden.

    Raises `UsageError` naming the recipe and the mistake.
    """
    from pipeline.search import check_models

    recipe = load_recipe(name)
    if quick:
        recipe = recipe.quickened()
    try:
        check_models(recipe)
    except UsageError as error:
        raise UsageError(f"recipe {printable(name)}: {str(error).removeprefix('recipe: ')}") from error
    return recipe.replace(search=recipe.search.replace(trials=trials)) if trials else recipe


def new_run_id() -> str:
    """Return an id that no run has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def plan_run(wanted: Wanted, ledger: "RunLedger") -> RunPlan:
    """Write the plan of a new run to the ledger and return it."""
    now = datetime.now(UTC)
    plan = RunPlan(
        run_id=wanted.run_id or new_run_id(),
        command=wanted.command,
        libraries=wanted.libraries,
        recipe=wanted.recipe,
        labels=wanted.labels,
        groups=wanted.groups,
        folds=wanted.folds,
        seed=wanted.seed,
        sequence=ledger.next_sequence(),
        created=now.isoformat(timespec="seconds"),
        extract=wanted.extract,
        learn=wanted.learn,
        max_duration_s=wanted.max_duration_s,
        priority=wanted.priority,
        purpose=wanted.purpose,
        chunk_s=wanted.chunk_s,
        against=wanted.against,
        tracking=wanted.tracking,
        versions=software_versions(),
    )
    ledger.create(plan)
    return plan


def scan(context: Doors, wanted: Wanted, view: View) -> Finished:
    """Plan a run and scan its libraries into the ledger. Raises `UsageError`, and leaves none, for what cannot work."""
    plan = plan_run(wanted, context.ledger)
    begun = False

    def seen(files: int) -> None:
        nonlocal begun
        if not begun:  # a mistake is told in one line
            view.stage("scan")
            begun = True
        view.update("scan", files)
        stopping.check(context, plan.run_id)

    with (
        _forgotten_when_refused(context.ledger, plan.run_id),
        _told_when_stopped(context.ledger, plan.run_id),
        announced(context.home, plan.run_id),
    ):
        found = producer.write_shards(context, plan, seen=seen)
        seen(found.files)
        for problem in found.unreadable:
            view.line(f"cannot look into {problem}")
        if found.gone:
            view.line(f"{found.gone} files that were there before are gone, and marked deleted")
        if plan.extract:
            known.seal_known(context, plan)
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
        fitness.check_versions(wanted.broker)
    # Before anything is started: a mistake in the labels is told at once.
    context = Doors(home)
    finished = scan(context, wanted, view)
    if _nothing_to_do(context, finished.plan):
        view.stage("extract", total=finished.found.files)
        view.finish("extract", finished.found.files, note=stages.told(stages.track_counts(context, finished.plan)))
    else:
        follow(home, finished, view, broker=wanted.broker, workers=wanted.workers)
    return finished


def _nothing_to_do(context: Doors, plan: RunPlan) -> bool:
    """Tell whether a scanned run is over already, so that nothing has to be started for it."""
    return not plan.learn and len(context.ledger.sealed_shards(plan.run_id)) == context.ledger.shard_count(plan.run_id)


def adopt(home: Path, run_id: str, view: View, *, broker: BrokerAddress) -> Finished:
    """Bring a scanned run whose command died to its end. Raises as `execute` does."""
    ledger = Doors(home).ledger
    shards = ledger.shards(run_id)
    files = sum(len(ledger.shard(run_id, shard)) for shard in shards)
    found = producer.ScanSummary(files=files, bytes=0, shards=len(shards), labels={})
    finished = Finished(plan=ledger.plan(run_id), found=found)
    follow(home, finished, view, broker=broker, workers=None)
    return finished


def follow(
    home: Path,
    finished: Finished,
    view: View,
    *,
    broker: BrokerAddress | None,
    workers: int | None,
    within: Session | None = None,
) -> None:
    """Publish a scanned run and wait for its end, `within` a session if there is one. Raises as `execute` does."""
    plan = finished.plan
    run_id = plan.run_id
    # A worker that finds nothing to do costs seconds of CPU and the memory of a pool.
    roles = [role for role, needed in (("extract", plan.extract), ("learn", plan.learn)) if needed]
    with (
        _told_when_stopped(Doors(home).ledger, run_id),
        announced(home, run_id) as announcement,
        session(home, broker, workers, roles=roles) if within is None else nullcontext(within) as running,
    ):
        announcement.reached_by(running.broker)
        context = _client(home, running)
        publisher = Publisher(context, plan)
        try:
            publisher.start()
            watcher = Watcher(context, plan, finished.found, view)
            with interrupts.patiently() if view.is_live else nullcontext():
                wait_for_end(context, running, watcher, publisher)
        except BaseException:
            with suppress(redis.RedisError):
                context.counters.cancel(run_id)
            publisher.stop()
            with suppress(redis.RedisError):
                stopping.take_back(context.counters, run_id)
            raise
        finally:
            publisher.stop()
            # Results that Celery still holds ask the broker to forget them when they go: before it does.
            gc.collect()


@contextmanager
def _told_when_stopped(ledger: "RunLedger", run_id: str) -> Iterator[None]:
    """Note in the ledger that a run's command ended before the run did: then nobody takes it up again."""
    try:
        yield
    except BaseException:
        with suppress(StoreError):
            ledger.claim(run_id, STOPPED)
        raise


@contextmanager
def _forgotten_when_refused(ledger: "RunLedger", run_id: str) -> Iterator[None]:
    """Forget a run whose scan showed a mistake: `train`, `status` and `report` would take it for the last one."""
    try:
        yield
    except UsageError:
        with suppress(StoreError):  # the mistake is what has to be told
            ledger.forget(run_id)
        raise


def _client(home: Path, running: Session) -> Context:
    from workers import context

    configure(Settings(home=str(home), broker=running.broker), "client")
    return context.current()
