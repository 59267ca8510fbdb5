"""What it costs before anything is done: light commands, an extraction of one song, a worker until it takes tasks.

CPU seconds, user and system, of a command and of every process it started; of a worker those of all its processes until
it says that it is ready, two in its pool, on an embedded broker that runs already. Commands run as a user runs them,
with as many numeric threads as they like, on a home that holds a demo library; the song is 4 minutes of MP3, and its
home is new each time. Kernels come from Numba's cache and modules from their bytecode, which the first, uncounted round
fills. The reference imports the libraries that most of it is made of. Not measured: the first run after an
installation, TensorFlow, a terminal's tables.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tests.bench.measuring import Cost, interleaved, ratio, show, spread
from tests.bench.piece import write_song
from workers.processes.cluster import local_cluster
from workers.processes.environment import QUIET

ROOT = Path(__file__).parents[2]
RUN = str(Path(__file__).with_name("startup_run.py"))
PROCESSES = 2
WITHIN_S = 60
COLUMNS = ("", "CPU s", "CPU / reference", "s", "MiB of its own per process")
REFERENCE = "reference: import celery, numpy, numba, h5py"
EXTRACT = "chordal extract, one 4-minute MP3, a new home"
COMMANDS: Mapping[str, Sequence[str]] = {
    "chordal --help": ("--help",),
    "chordal completion bash": ("completion", "bash"),
    "the tab key after `chordal st`": (),
    "chordal status": ("status", "--home", "{home}"),
    "chordal models": ("models", "--home", "{home}"),
    "chordal failures": ("failures", "--home", "{home}"),
    "chordal scan --help": ("scan", "--help"),
    EXTRACT: ("extract", "{song}", "--home", "{cold}"),
}
WORKERS = {
    "reference: celery worker, empty application, ready": "",
    "chordal worker, extract and store, ready": "extract,store",
    "chordal worker, tune and train, ready": "tune,train",
}
TAB = {"_CHORDAL_COMPLETE": "bash_complete", "COMP_WORDS": "chordal st", "COMP_CWORD": "1"}


def _environment(**more: str) -> dict[str, str]:
    """Return what a user's shell has: no settings of this benchmark's or of a container's build."""
    ours = {*QUIET, "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in ours} | {"PYTHONPATH": str(ROOT)} | more


class Command:
    """A command that ends by itself."""

    def __init__(self, words: Sequence[str], *, makes: Path | None = None, **environment: str) -> None:
        self._words = [sys.executable, "-S", RUN, sys.executable, "-P", *words]
        self._makes = makes
        self._environment = _environment(**environment)

    def __call__(self, _round: int) -> Cost:
        """Return what it cost."""
        if self._makes is not None:
            shutil.rmtree(self._makes, ignore_errors=True)
        done = subprocess.run(self._words, env=self._environment, stdout=subprocess.PIPE, text=True, check=True)
        usage = json.loads(done.stdout)
        if usage["status"]:
            raise SystemExit(f"bench: `{' '.join(self._words[3:])}` failed:\n{usage['error']}")
        return Cost(cpu_s=usage["cpu_s"], wall_s=usage["wall_s"], peak_mib=0)


class WorkerStart:
    """Starts a worker, waits until it is ready and stops it; remembers what each process had to itself."""

    def __init__(self, folder: Path, broker: str, queues: str) -> None:
        self.own_mib: list[float] = []
        self._log = folder / f"{queues or 'celery'}.log"
        self._environment = _environment(CHORDAL_BROKER=broker)
        if queues:
            words = ["workers.cli", "worker", "--home", str(folder), "--queues", queues]
        else:
            self._environment["PYTHONPATH"] = str(folder)
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
    places = {name: folder / name for name in ("home", "demo", "song", "cold")}
    for name in ("logs", "song"):
        (folder / name).mkdir()
    write_song(places["song"])
    for words in (
        ["demo-library", str(places["demo"])],
        ["extract", str(places["demo"]), "--home", str(places["home"])],
    ):
        Command(["-m", "workers.cli", *words])(0)
    with local_cluster(folder, None, 0) as running:
        jobs: dict[str, Callable[[int], Cost]] = {REFERENCE: Command(["-c", REFERENCE.removeprefix("reference: ")])}
        for title, words in COMMANDS.items():
            arguments = [word.format(**places) for word in words]
            makes, tab = places["cold"] if title == EXTRACT else None, {} if words else TAB
            jobs[title] = Command(["-m", "workers.cli", *arguments], makes=makes, **tab)
        starting = {title: WorkerStart(folder, running.broker.url, queues) for title, queues in WORKERS.items()}
        costs = interleaved(jobs | starting, repeats=given.repeats)
    used = {title: [cost.cpu_s for cost in each] for title, each in costs.items()}
    lines = [
        (
            title,
            spread(used[title]),
            ratio(used[title], used[REFERENCE]),
            spread([cost.wall_s for cost in each]),
            spread(starting[title].own_mib[1:]) if title in starting else "",
        )
        for title, each in costs.items()
    ]
    show(f"startup: commands, and a worker of {PROCESSES} processes until it takes tasks", COLUMNS, lines)
