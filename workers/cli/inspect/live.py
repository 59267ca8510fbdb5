"""What goes on right now: how fast, how long still, what waits in which queue, who works. For the eye only.

Read from the broker, which may forget it; what is done and what is not the ledger knows.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from rich.live import Live as Screen

from pipeline.plans.run import RunPlan
from pipeline.wire import Value
from storage.home import Home
from workers.app import controls
from workers.app.context import queues_of
from workers.app.settings import QUEUES
from workers.broker.address import BrokerAddress
from workers.broker.counters import OUTCOMES, Counters
from workers.broker.health import BROKER_ERRORS
from workers.broker.heartbeats import Worker, WorkerList
from workers.broker.queues import Queues
from workers.cli.tables import console, facts_table
from workers.runs import active, state


class Live(Value, frozen=True, kw_only=True):
    """A run while it goes on."""

    held: str
    """The controls that are set, in words."""
    files: int
    """How many the scan found."""
    done: int
    """How many of them are extracted, were there already, or failed."""
    files_per_s: float
    """Over the last minute."""
    audio_s_per_s: float
    """Seconds of audio per second, over the last minute."""
    left_s: float | None
    """How long the extraction takes still at this rate; None where that cannot be told."""
    queues: dict[str, int]
    """Tasks that wait in each queue."""
    running: int
    """Tasks that are with a worker."""
    failures: dict[str, int]
    """Files that failed so far, by kind."""
    workers: tuple[Worker, ...]


def of_run(home: Home, plan: RunPlan, broker: BrokerAddress) -> Live | None:
    """Return what a broker tells of a run; None when it does not answer."""
    client = broker.client(timeout_s=2.0, retries=0)
    try:
        return _live(home, plan, Counters(client), queues_of(broker, client), WorkerList(client))
    except BROKER_ERRORS:
        return None
    finally:
        client.close()


def _live(home: Home, plan: RunPlan, counters: Counters, queues: Queues, workers: WorkerList) -> Live:
    progress = counters.progress(plan.run_id)
    files = file_count(home, plan.run_id)
    told = sum(int(progress.get(name, 0)) for name in OUTCOMES)
    sealed = sum(state.track_counts(home, plan).values()) if plan.extract else files
    done = min(max(told, sealed), files)
    pace = counters.pace(plan.run_id)
    held = controls.load(home.path)
    going = pace.files_per_s > 0 and not controls.hold_reason(held, datetime.now().astimezone().time())
    left_s = (files - done) / pace.files_per_s if going else None
    return Live(
        held=controls.describe(held),
        files=files,
        done=done,
        files_per_s=round(pace.files_per_s, 2),
        audio_s_per_s=round(pace.audio_s_per_s, 1),
        left_s=None if left_s is None else round(left_s, 1),
        queues=queues.depths(QUEUES),
        running=queues.unacknowledged(),
        failures=counters.failures(progress),
        workers=tuple(workers.workers()),
    )


def file_count(home: Home, run_id: str) -> int:
    """Return how many files the scan of a run found so far: its shards are all as large as the first, but the last."""
    shards = home.ledger.shards(run_id)
    if not shards:
        return 0
    last = len(home.ledger.shard(run_id, shards[-1]))
    return last if len(shards) == 1 else (len(shards) - 1) * len(home.ledger.shard(run_id, shards[0])) + last


def facts(live: Live) -> list[tuple[str, str]]:
    """Return what goes on as names and words."""
    percent = f" ({live.done / live.files:.0%})" if live.files else ""
    rows = [("files", f"{live.done} of {live.files}{percent}")]
    if live.done < live.files:
        left = "" if live.left_s is None else f", {_duration(live.left_s)} left"
        rows.append(("rate", f"{live.files_per_s:.1f} files/s, {live.audio_s_per_s:.0f} s of audio per second{left}"))
    waiting = ", ".join(f"{queue} {count}" for queue, count in live.queues.items())
    rows.append(("queues", f"{waiting}; {live.running} with a worker"))
    if live.failures:
        rows.append(("failed", ", ".join(f"{kind} {count}" for kind, count in live.failures.items())))
    if live.held != "none":
        rows.append(("controls", live.held))
    rows += [("worker", _describe_worker(worker)) for worker in live.workers] or [
        ("workers", "none has told of itself")
    ]
    return rows


def wire(live: Live) -> dict[str, Any]:
    """Return what goes on as `--json` prints it."""
    return {**live.to_wire(), "workers": [_worker_wire(worker) for worker in live.workers]}


def _worker_wire(worker: Worker) -> dict[str, Any]:
    heartbeat = worker.heartbeat
    return {
        "name": worker.name,
        "host": heartbeat.host,
        "processes": heartbeat.processes,
        "queues": list(heartbeat.queues),
        "doing": heartbeat.doing,
        "nice": heartbeat.nice,
        "silent_s": round(worker.silent_s, 1),
        "alive": worker.alive,
    }


def _describe_worker(worker: Worker) -> str:
    heartbeat = worker.heartbeat
    state = heartbeat.doing if worker.alive else f"silent for {_duration(worker.silent_s)}"
    nice = f", nice {heartbeat.nice}" if heartbeat.nice else ""
    work = f"{heartbeat.processes} processes on {', '.join(heartbeat.queues)}"
    # An older one does not say what it is for.
    return f"{worker.name}, {work if heartbeat.queues else f'chordal {heartbeat.version}'}: {state}{nice}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


EVERY_S = 1.0


Rows = Callable[[], list[tuple[str, str]]]


def live_run(home: Home, run_id: str, broker: str | None) -> Live | None:
    """Return what goes on in a run that has not ended; None when no broker tells."""
    if state.current_stage(home, run_id) in state.ENDS:
        return None
    address = BrokerAddress.parse(broker) if broker else _broker_of(home, run_id)
    return of_run(home, home.ledger.plan(run_id), address) if address is not None else None


def show(home: Home, run_id: str, broker: str | None, stages: Rows, *, watch: bool) -> None:
    """Print the stages of a run and what goes on; with `watch`, again and again until either ends, or Ctrl-C."""
    if not watch:
        console().print(facts_table(_rows(stages, live_run(home, run_id, broker))))
        return
    pause = threading.Event()
    with Screen(console=console(), auto_refresh=False) as screen, suppress(KeyboardInterrupt):
        while True:
            found = live_run(home, run_id, broker)
            screen.update(facts_table(_rows(stages, found)), refresh=True)
            if found is None:
                return
            pause.wait(EVERY_S)


def _rows(stages: Rows, found: Live | None) -> list[tuple[str, str]]:
    return stages() + (facts(found) if found is not None else [])


def _broker_of(home: Home, run_id: str) -> BrokerAddress | None:
    return next((each.broker for each in active.active_runs(home.path) if each.run_id == run_id), None)
