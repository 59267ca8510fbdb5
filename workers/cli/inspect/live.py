"""The live view of a run: how fast it is, how long it takes still, what waits in which queue, which workers there are.

Read from the broker, which may lose it, so nothing depends on it; what is done and what is not the ledger knows.
"""

from datetime import datetime
from typing import Any

from pipeline.text import describe_duration
from pipeline.wire import Value
from workers.app import controls
from workers.app.context import queues_of
from workers.app.settings import QUEUES
from workers.broker.address import BrokerAddress
from workers.broker.counters import OUTCOMES, Counters
from workers.broker.health import BROKER_ERRORS
from workers.broker.heartbeats import Worker, WorkerList
from workers.broker.queues import Queues
from workers.runs.state import RunState


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
    """How long the extraction takes still at this rate; None where that is not known."""
    queues: dict[str, int]
    """Tasks that wait in each queue."""
    running: int
    """Tasks that are with a worker."""
    failures: dict[str, int]
    """Files that failed so far, by kind."""
    workers: tuple[Worker, ...]


def read_live(state: RunState, broker: BrokerAddress) -> Live | None:
    """Return a run as its broker shows it; None when the broker does not answer."""
    client = broker.client(timeout_s=2.0, retries=0)
    try:
        return _live(state, Counters(client), queues_of(broker, client), WorkerList(client))
    except BROKER_ERRORS:
        return None
    finally:
        client.close()


def _live(state: RunState, counters: Counters, queues: Queues, workers: WorkerList) -> Live:
    plan, files = state.plan, state.files
    progress = counters.progress(plan.run_id)
    counted = sum(int(progress.get(name, 0)) for name in OUTCOMES)
    sealed = sum(state.tracks.values()) if plan.extract else files
    done = min(max(counted, sealed), files)
    pace = counters.pace(plan.run_id)
    held = controls.load(state.home.path)
    working = pace.files_per_s > 0 and not controls.hold_reason(held, datetime.now().astimezone().time())
    left_s = (files - done) / pace.files_per_s if working else None
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


def live_facts(live: Live) -> list[tuple[str, str]]:
    """Return a live view as names and words."""
    percent = f" ({live.done / live.files:.0%})" if live.files else ""
    rows = [("files", f"{live.done} of {live.files}{percent}")]
    if live.done < live.files:
        left = "" if live.left_s is None else f", {describe_duration(live.left_s)} left"
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


def live_wire(live: Live) -> dict[str, Any]:
    """Return a live view as `--json` prints it."""
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
    doing = heartbeat.doing if worker.alive else f"silent for {describe_duration(worker.silent_s)}"
    nice = f", nice {heartbeat.nice}" if heartbeat.nice else ""
    work = f"{heartbeat.processes} processes on {', '.join(heartbeat.queues)}"
    # An older one does not say what it is for.
    return f"{worker.name}, {work if heartbeat.queues else f'chordal {heartbeat.version}'}: {doing}{nice}"
