"""The live view of a run: how fast it is, how long it takes still, what waits in which queue, which workers there are.

Read from the broker, which may lose it, so nothing depends on it; what is done and what is not the ledger knows. A
broker that does not answer is asked once and waited for some seconds.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pipeline.errors import BrokerError
from pipeline.text import describe_duration
from workers.app import controls
from workers.app.context import queues_of
from workers.app.settings import QUEUES
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters, Pace
from workers.broker.health import BROKER_ERRORS
from workers.broker.heartbeats import Worker, WorkerList
from workers.broker.queues import Queues
from workers.broker.rights import try_work
from workers.runs.figures import Figures
from workers.runs.file_counts import FileCounts
from workers.runs.state import RunState

ANSWER_S = 5.0
"""How long the broker may take for all answers, with finding its host."""


class BrokerAnswer:
    """What a broker says of itself and of a run; what it did not say is None."""

    def __init__(self, address: BrokerAddress) -> None:
        self.address = address
        self.reason = f"did not answer within {ANSWER_S:.0f} s"
        """Why it cannot be used; empty when it can."""
        self.errors: dict[str, str] = {}
        """Why some of it cannot be had though the broker answers, by the names of a live view."""
        self.busy_runs: list[str] = []
        self.progress: dict[str, float] | None = None
        self.pace: Pace | None = None
        self.queues: dict[str, int] | None = None
        self.running: int | None = None
        self.workers: list[Worker] | None = None

    def read(self, run_id: str | None) -> None:
        """Ask the broker, and of a run what it knows of it."""
        client = self.address.client(timeout_s=health.TIMEOUT_S, retries=0)
        figures = Figures()
        try:
            # A full one, a replica and one that refuses some commands answer everything else.
            try_work(client, carries_tasks=self.address.amqp is None)
            counters, queues, workers = Counters(client), queues_of(self.address, client), WorkerList(client)
            self.busy_runs = figures.read("other_runs", counters.busy_runs, [])
            if run_id is not None:
                self.progress = figures.read("files", lambda: counters.progress(run_id), None)
                self.pace = figures.read("pace", lambda: counters.pace(run_id), None)
                self.workers = figures.read("workers", workers.workers, None)
                self._read_queues(queues, figures)
        except (*BROKER_ERRORS, OSError, BrokerError) as error:
            self.reason = health.describe_error(error, self.address)
        else:
            self.reason = ""
        finally:
            self.errors = figures.errors
            client.close()

    def _read_queues(self, queues: Queues, figures: Figures) -> None:
        self.running = figures.read("running", queues.unacknowledged, None)
        self.queues = figures.read("queues", lambda: queues.depths(QUEUES), None)


def ask_broker(address: BrokerAddress, run_id: str | None) -> BrokerAnswer:
    """Return what a broker says of itself, and of a run, within `ANSWER_S`."""
    answer = BrokerAnswer(address)
    # A thread, since finding a host's address cannot be interrupted; it ends with the process.
    thread = threading.Thread(target=answer.read, args=(run_id,), name="broker", daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    return answer


def live_wire(state: RunState, counts: FileCounts, answer: BrokerAnswer, figures: Figures) -> dict[str, Any]:
    """Return a run while it goes on, as `--json` prints it; what cannot be had is None, and `figures` says why."""
    for name, reason in answer.errors.items():
        figures.fail(f"live.{name}", reason)
    held = figures.read("live.held", lambda: controls.load(state.home.path), None)
    progress, pace = answer.progress, answer.pace
    return {
        "held": None if held is None else controls.describe(held),
        "files": counts.of,
        "done": counts.settled,
        "files_per_s": None if pace is None else round(pace.files_per_s, 2),
        "audio_s_per_s": None if pace is None else round(pace.audio_s_per_s, 1),
        "left_s": _left_s(counts, pace, held),
        "queues": answer.queues,
        "running": answer.running,
        "failures": None if progress is None else Counters.failures(progress),
        "workers": None if answer.workers is None else [_worker_wire(worker) for worker in answer.workers],
    }


def _left_s(counts: FileCounts, pace: Pace | None, held: controls.Controls | None) -> float | None:
    """Return how long the extraction takes still at this pace; None where that is not known."""
    if pace is None or pace.files_per_s <= 0 or counts.at_least:
        return None
    if held is not None and controls.hold_reason(held, datetime.now().astimezone().time()):
        return None
    return round((counts.of - counts.settled) / pace.files_per_s, 1)


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
        "version": heartbeat.version,
    }


def live_rows(live: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a live view as names and words; what cannot be had is left out, as its reason stands elsewhere."""
    rows: dict[str, Callable[[], str]] = {
        "rate": lambda: _describe_rate(live),
        "queues": lambda: _describe_queues(live),
        "failed": lambda: ", ".join(f"{kind} {count}" for kind, count in (live["failures"] or {}).items()),
        "controls": lambda: "" if live["held"] in {None, "none"} else live["held"],
    }
    shown = [(name, words) for name, row in rows.items() if (words := row())]
    if live["workers"] == []:
        return [*shown, ("workers", "none has told of itself")]
    return [*shown, *(("worker", _describe_worker(worker)) for worker in live["workers"] or ())]


def _describe_rate(live: dict[str, Any]) -> str:
    if live["files_per_s"] is None or live["done"] >= live["files"]:
        return ""
    left = "" if live["left_s"] is None else f", {describe_duration(live['left_s'])} left"
    return f"{live['files_per_s']:.1f} files/s, {live['audio_s_per_s']:.0f} s of audio per second{left}"


def _describe_queues(live: dict[str, Any]) -> str:
    waiting = ", ".join(f"{queue} {count}" for queue, count in (live["queues"] or {}).items())
    running = "" if live["running"] is None else f"{live['running']} with a worker"
    return "; ".join(filter(None, (waiting, running)))


def _describe_worker(worker: dict[str, Any]) -> str:
    doing = worker["doing"] if worker["alive"] else f"silent for {describe_duration(worker['silent_s'])}"
    nice = f", nice {worker['nice']}" if worker["nice"] else ""
    work = f"{worker['processes']} processes on {', '.join(worker['queues'])}"
    # An older one does not say what it is for.
    return f"{worker['name']}, {work if worker['queues'] else 'chordal ' + worker['version']}: {doing}{nice}"
