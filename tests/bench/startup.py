"""How long a worker takes to start: from its exec to its taking tasks, against a Celery worker of an empty application.

All are started in the same way, one after the other, with two processes, on an embedded broker that runs already.
The worker for extraction loads the compiled kernels and the decoder before it forks, the one for learning loads
nothing but itself. Wall seconds run until the worker says that it is ready, CPU seconds are those of all its processes
until then; memory is what each process of the pool has to itself at that moment. The kernels come from Numba's cache,
which the first, uncounted round fills. Not measured: what the first file costs.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from tests.bench.measuring import Cost, interleaved, ratio, show, spread
from workers.processes.cluster import local_cluster

PROCESSES = 2
WITHIN_S = 60
COLUMNS = ("", "s to ready", "CPU s", "s / reference", "MiB of its own per process")
ROWS = {
    "reference: celery worker, empty application": "",
    "chordal worker, extract and store": "extract,store",
    "chordal worker, tune and train": "tune,train",
}


class Starting:
    """Starts a worker, waits until it is ready and stops it; remembers what each process had to itself."""

    def __init__(self, folder: Path, broker: str, queues: str) -> None:
        self.own_mib: list[float] = []
        self._log = folder / f"{queues or 'celery'}.log"
        self._environment = {**os.environ, "CHORDAL_BROKER": broker, "PYTHONPATH": str(folder)}
        if queues:
            words = ["workers.cli", "worker", "--home", str(folder), "--queues", queues]
            self._environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        else:
            (folder / "empty.py").write_text("from celery import Celery\n\napp = Celery('empty')\n", "utf-8")
            words = ["celery", "-A", "empty", "-b", broker, "worker", "-Q", "none", "-l", "INFO", "--without-mingle"]
        self._words = [sys.executable, "-P", "-m", *words, "--concurrency", str(PROCESSES)]

    def __call__(self, _round: int) -> Cost:
        """Return what it cost until the worker was ready."""
        with self._log.open("wb") as log:
            began_s = time.perf_counter()
            worker = psutil.Popen(self._words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment)
        try:
            self._wait(worker)
            wall_s = time.perf_counter() - began_s
            pool = worker.children(recursive=True)
            used = [process.cpu_times() for process in (worker, *pool)]
            self.own_mib.append(sum(process.memory_full_info().uss for process in pool) / len(pool) / 2**20)
        finally:
            worker.terminate()
            worker.wait(WITHIN_S)
        return Cost(cpu_s=sum(each.user + each.system for each in used), wall_s=wall_s, peak_mib=0)

    def _wait(self, worker: psutil.Popen) -> None:
        pause, deadline = threading.Event(), time.monotonic() + WITHIN_S
        while b" ready." not in self._log.read_bytes():
            if worker.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: a worker did not start:\n{self._log.read_text('utf-8')}")
            pause.wait(0.005)


def measure(folder: Path, given) -> None:
    """Print the table."""
    (folder / "logs").mkdir()
    with local_cluster(folder, None, 0) as running:
        jobs = {title: Starting(folder, running.broker.url, queues) for title, queues in ROWS.items()}
        costs = interleaved(jobs, repeats=given.repeats)
    walls = {title: [cost.wall_s for cost in told] for title, told in costs.items()}
    reference = walls[next(iter(ROWS))]
    lines = [
        (
            title,
            spread(walls[title]),
            spread([cost.cpu_s for cost in told]),
            ratio(walls[title], reference),
            spread(jobs[title].own_mib[1:]),
        )
        for title, told in costs.items()
    ]
    show(f"startup: a worker of {PROCESSES} processes, from its exec until it takes tasks", COLUMNS, lines)
