"""What a run over very many files holds and costs beside the files themselves: producer, broker, workers, sealing.

`chordal run` over a library of files of a few bytes, each with a content of its own, with an embedded broker and a
worker of two processes. Scan, shards, back-pressure, chords, attempts, receipts, commits, sealing and compaction are
the real ones; nothing is decoded, and the study that the last shard starts refuses to begin. Three workers take turns:
one whose tasks do nothing at all, the reference, over a tenth of the files; one that does all but ask and write the
store; and one that commits a row for every file. Afterwards `chordal extract` scans the same library again, unchanged;
its reference looks at every file and does nothing else.

Where others use the machine too, look at the CPU per file, and at what two cores have CPU for, not at the seconds.
Memory is sampled five times a second; that of the commands is their own peak where the system tells it. Not measured:
decoding, larger rows, several hosts.
"""

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from storage import FileFeatureStore
from storage.home import Home
from tests.bench.measuring import Cost, disk, interleaved, peak_mib, processes, ratio, show, spread
from tests.bench.scale_rows import ENOUGH, TOLD
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.processes.child import Child
from workers.processes.cluster import local_cluster
from workers.runs.state import RunState

RECIPE = """
name = "bench"
title = "One small family"

[[models]]
family = "logistic"
features = "mfcc_mean"
"""
FOLDER_FILES = 1_000
EVERY_S = 0.2
MIB = 2**20
REFERENCE = "reference: tasks that do nothing"
MODES = {"nothing": REFERENCE, "queue": "the queue alone", "store": "with commits"}
TARGETS = ("", ">= 450", "", "", "", "", "", "", "", "< 50", "", "< 150", "flat", "", "flat", "1", "all")
AGAIN = "chordal extract, nothing new"
LOOKING = "reference: os.walk, os.stat"


class Worker(Child):
    """A worker of the benchmark, started as chordal starts its own."""

    def __init__(self, mode: str, home: Path, broker: BrokerAddress) -> None:
        super().__init__(mode, [], home / "logs" / f"{mode}.log")
        self._arguments = [sys.executable, "-m", "tests.bench.scale_rows", mode, str(home)]
        self.environment = {
            "CHORDAL_BROKER": broker.url,
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
            ),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen at one moment; memory in MiB."""

    at_s: float
    done: int
    broker: float
    command: float
    main: float
    pool: float
    """Of the larger of the worker's two processes."""


class Machinery:
    """The broker and the worker of one mode, looked at from outside."""

    def __init__(self, home: Path, broker: BrokerAddress, worker: int) -> None:
        self.home = home
        self.url = broker.url
        self.client = broker.client()
        self.broker = psutil.Process(self.client.info("server")["process_id"])
        self.main = psutil.Process(worker)
        self.command_peak = 0.0

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds so far of the broker, the worker's main process and its pool."""
        told = {"broker": [self.broker], "main": [self.main], "pool": self.main.children()}
        return {name: sum(sum(each.cpu_times()[:2]) for each in which) for name, which in told.items()}

    def look(self, command: psutil.Process) -> Seen:
        """Return what there is now."""
        rss = command.memory_info().rss / MIB
        self.command_peak = max(self.command_peak, rss, peak_mib(command.pid))
        return Seen(
            at_s=time.perf_counter(),
            done=int(Counters(self.client).totals().get("extracted", 0)),
            broker=self.broker.memory_info().rss / MIB,
            command=rss,
            main=self.main.memory_info().rss / MIB,
            pool=max(child.memory_info().rss for child in self.main.children()) / MIB,
        )

    def carry_out(self, *words: str) -> tuple[int, str, list[Seen], Cost]:
        """Run a command of chordal; return its exit status, its errors, what was seen meanwhile and its own cost."""
        self.command_peak = 0.0
        seen: list[Seen] = []
        began_s, cpu_s = time.perf_counter(), ended_cpu_s()
        command = psutil.Popen(
            [sys.executable, "-P", "-m", "workers.cli", *words, "--home", str(self.home), "--broker", self.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        ended = threading.Event()

        def watch() -> None:
            # Looked at once at least, however soon it ends.
            with suppress(psutil.Error):  # it ends just now
                seen.append(self.look(command))
                while not ended.wait(EVERY_S):
                    seen.append(self.look(command))

        watching = threading.Thread(target=watch)
        watching.start()
        _, errors = command.communicate()
        wall_s = time.perf_counter() - began_s
        ended.set()
        watching.join()
        cost = Cost(cpu_s=ended_cpu_s() - cpu_s, wall_s=wall_s, peak_mib=self.command_peak)
        return command.returncode, errors, seen, cost


def measure(folder: Path, given) -> None:
    """Print the tables."""
    for tracks in given.tracks:
        library = write_library(folder / f"library-{tracks}", tracks)
        few = write_library(folder / f"few-{tracks}", max(tracks // 10, 6))
        recipe = folder / "recipe.toml"
        recipe.write_text(RECIPE, "utf-8")
        columns = []
        for mode in MODES:
            home = folder / f"home-{mode}-{tracks}"
            with _machinery(home, mode) as machinery:
                columns.append(_run(machinery, few if mode == "nothing" else library, recipe))
                if mode == "store":
                    again = _rescans(machinery, library, recipe, given)
            shutil.rmtree(home)
        names = list(columns[0])
        lines = [
            (name, target, *(column[name] for column in columns)) for name, target in zip(names, TARGETS, strict=True)
        ]
        show(f"scale: {tracks:,} files without decoding, two processes, on {disk(folder)}",
             ("", "target", *MODES.values()), lines)  # fmt: skip
        show(f"scale: {tracks:,} unchanged files scanned again", ("", "s", "CPU s", "s / reference", "peak MiB"), again)


@contextmanager
def _machinery(home: Path, mode: str) -> Iterator[Machinery]:
    (home / "logs").mkdir(parents=True)
    with local_cluster(home, None, 0) as running:
        for each in (mode, "learn"):
            running.add(Worker(each, home, running.broker))
        worker = next(child.pid for child in running.children if child.name == mode)
        pause, client = threading.Event(), running.broker.client()
        while client.scard("chordal:workers") < 2:
            if not all(child.alive for child in running.children):
                raise SystemExit(f"bench: a worker did not start; see {home / 'logs'}")
            pause.wait(0.1)
        yield Machinery(home, running.broker, worker)


def _run(machinery: Machinery, library: Path, recipe: Path) -> dict[str, str]:
    """Run a library once and return the cells of its column."""
    asked = sum(1 for path in library.rglob("*.wav"))
    before = machinery.cpu_s()
    status, errors, seen, command = machinery.carry_out("run", str(library), "--recipe", str(recipe), "--json")
    if status != 2 or ENOUGH not in errors:
        raise SystemExit(f"bench: the run did not end as it should: {errors}")
    cpu_ms = {name: 1000 * (cpu_s - before[name]) / asked for name, cpu_s in machinery.cpu_s().items()}
    cpu_ms["command"] = 1000 * command.cpu_s / asked
    doors = Home(machinery.home)
    run_id = doors.ledger.run_ids()[-1]
    state = RunState.read(doors, run_id)
    counts, took_s = state.tracks, state.seconds["extract"]
    told = machinery.client.hgetall(TOLD)
    stored = len(FileFeatureStore.open(machinery.home / "store").snapshot())
    # Where the tasks count nothing, nothing can be told of how far they were.
    first, last = _at(seen, asked * 0.1), _at(seen, asked * 0.9)
    begin, half = first or seen[len(seen) // 10], _at(seen, asked * 0.5) or seen[len(seen) // 2]
    end = next(each for each in reversed(seen) if each.command)  # not of a process that has just ended
    pool_cpu_s = cpu_ms["pool"] * asked / 1000
    memory = machinery.client.info("memory")
    return {
        "files": f"{asked:,}",
        "files/s, from the end of the scan to the last seal": _per(asked, took_s),
        "files/s, steady": _per(last.done - first.done, last.at_s - first.at_s) if first and last else "",
        "files/s that two cores have the CPU for": _per(2000, sum(cpu_ms.values())),
        "CPU ms per file": f"{sum(cpu_ms.values()):.2f}",
        "  of the pool's two processes": f"{cpu_ms['pool']:.2f}",
        "  of the worker's main process": f"{cpu_ms['main']:.2f}",
        "  of the broker": f"{cpu_ms['broker']:.2f}",
        "  of the command": f"{cpu_ms['command']:.2f}",
        "broker's peak, MiB in use": f"{memory['used_memory_peak'] / MIB:.1f}",
        "broker's peak, MiB resident": f"{max(each.broker for each in seen):.1f}",
        "command's peak, MiB": f"{command.peak_mib:.0f}",
        "MiB of the command, after a tenth -> at the end": f"{begin.command:.0f} -> {end.command:.0f}",
        "sealing and compaction, share of the pool's CPU": _per(float(told["seal_cpu_s"]), pool_cpu_s, ".1%"),
        "MiB of a pool process, after a tenth -> half -> at the end": " -> ".join(
            f"{each.pool:.0f}" for each in (begin, half, end)
        ),
        "learning began": told["learned"],
        "extracted, says the ledger; in the store": f"{counts['extracted']:,}; {stored:,}",
    }


def _per(amount: float, of: float, form: str = ",.0f") -> str:
    """Return a quotient as text; nothing where the clock did not tick, as over a few files that do nothing."""
    return f"{amount / of:{form}}" if of else ""


def _at(seen: Sequence[Seen], done: float) -> Seen | None:
    return next((each for each in seen if each.done >= done), None)


def _rescans(machinery: Machinery, library: Path, recipe: Path, given) -> list[Sequence[str]]:
    """Scan a library again and again, of which all is stored; return the lines of the table."""
    asked = sum(1 for path in library.rglob("*.wav"))

    def again(_round: int) -> Cost:
        before = machinery.cpu_s()
        status, errors, _, cost = machinery.carry_out("extract", str(library), "--recipe", str(recipe), "--json")
        if status:
            raise SystemExit(f"bench: {errors}")
        doors = Home(machinery.home)
        counts = RunState.read(doors, doors.ledger.run_ids()[-1]).tracks
        if counts != {"extracted": 0, "unchanged": asked, "failed": 0}:
            raise SystemExit(f"bench: not everything was known: {counts}")
        others_s = sum(machinery.cpu_s().values()) - sum(before.values())
        return Cost(cpu_s=cost.cpu_s + others_s, wall_s=cost.wall_s, peak_mib=cost.peak_mib)

    with processes(1) as [process]:
        costs = interleaved({AGAIN: again, LOOKING: partial(looking, process, library)}, repeats=given.repeats)
    walls = {name: [cost.wall_s for cost in told] for name, told in costs.items()}
    return [
        (
            name,
            spread(walls[name]),
            spread([cost.cpu_s for cost in told]),
            "" if name == LOOKING else ratio(walls[name], walls[LOOKING]),
            f"{max(cost.peak_mib for cost in told):.0f}",
        )
        for name, told in costs.items()
    ]


def looking(process, library: Path, _round: int) -> Cost:
    """Have a process look at every file of a library."""
    return process("tests.bench.scale_rows:looking", str(library))


def ended_cpu_s() -> float:
    """Return the CPU seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_library(folder: Path, tracks: int) -> Path:
    """Write files that hold their number, a thousand to a folder at most, and return the folder of all."""
    # At least two folders of at least three: a class each.
    files = min(FOLDER_FILES, tracks // 2)
    for number in range(tracks):
        if number % files == 0:
            inside = folder / f"{number // files:04}"
            inside.mkdir(parents=True)
        (inside / f"{number:07}.wav").write_bytes(b"%d" % number)
    return folder
