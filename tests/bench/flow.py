"""What the queue costs: `chordal extract` of many very short files, against a plain loop over the same files.

An embedded broker and two real worker processes run for all repeats; each round extracts a library of new files by
`chordal extract` on that broker, and the same library by one process in a loop into a store of its own, commits and
all. The rate of the workers is that of the extract stage as the command tells it: from the end of the scan to the
sealing of the last shard, publishing and compaction included; both commit each file durably. CPU per file is that of
broker and workers together, with their idle moments, and the command's own is told apart. The overhead is what
workers and broker take over the loop: Celery, the broker, the store's questions about what is known, sealing. It is
the same for a long file: its share is told for a 4-minute MP3, extracted in one process.
Not measured: a broker on another host; more than two workers.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile

from pipeline.plans.recipe import load_recipe
from tests.bench.measuring import Cost, disk, interleaved, processes, ratio, show, spread
from tests.bench.piece import write_song
from workers.processes.cluster import LocalCluster, local_cluster

FILES = 150
WORKERS = 2
FAMILY = "mfcc_mean"
RATE_HZ = 22_050
SECONDS = 0.25
RECIPE = f"""
name = "bench"
title = "One cheap family"

[[models]]
family = "logistic"
features = "{FAMILY}"
"""
SONGS = {FAMILY: (FAMILY,), "those of the default recipe": load_recipe("default").families}
"""Families that are extracted of a 4-minute MP3."""
COLUMNS = ("", "files/s", "CPU ms/file", "overhead, CPU ms/file", "files/s / loop")


class Command:
    """`chordal extract` on a running session; remembers what each round took beside the stage itself."""

    def __init__(self, folder: Path, running: LocalCluster, apart: set[int]) -> None:
        self._home = folder / "home"
        self._recipe = folder / "recipe.toml"
        self._recipe.write_text(RECIPE, "utf-8")
        self._broker = running.broker.url
        self._apart = apart
        self.own_cpu_s: list[float] = []
        self.whole_s: list[float] = []

    def __call__(self, library: Path) -> Cost:
        """Extract a library; the cost is the extract stage's wall and the CPU of broker and workers."""
        words = ["extract", str(library), "--json", "--home", str(self._home), "--recipe", str(self._recipe)]
        before_s, own_s, began_s = self._machinery_cpu_s(), _ended_cpu_s(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "workers.cli", *words, "--broker", self._broker],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        self.whole_s.append(time.perf_counter() - began_s)
        self.own_cpu_s.append(_ended_cpu_s() - own_s)
        told = json.loads(done.stdout)
        if told["tracks"]["extracted"] != len(list(library.iterdir())):
            raise SystemExit(f"bench: not every file was extracted: {told['tracks']}")
        return Cost(cpu_s=self._machinery_cpu_s() - before_s, wall_s=told["seconds"]["extract"], peak_mib=0)

    def _machinery_cpu_s(self) -> float:
        """Return the CPU seconds so far of the broker and of all worker processes."""
        machinery = [child for child in psutil.Process().children(recursive=True) if child.pid not in self._apart]
        times = [child.cpu_times() for child in machinery]
        return sum(each.user + each.system for each in times)


def measure(folder: Path, given) -> None:
    """Print the table."""
    libraries = [_write_library(folder / f"library-{number}", number) for number in range(given.repeats + 1)]
    song = write_song(folder)
    (folder / "home" / "logs").mkdir(parents=True)
    with processes(1) as [process]:
        apart = {child.pid for child in psutil.Process().children(recursive=True)}
        with local_cluster(folder / "home", None, WORKERS) as running:
            command = Command(folder, running, apart)
            jobs = {
                "loop": lambda number: process(
                    "tests.bench.flow_rows:loop", str(libraries[number]), str(folder / f"store-{number}"), FAMILY
                ),
                "workers": lambda number: command(libraries[number]),
                **{
                    name: lambda _, families=families: process("tests.bench.flow_rows:song", song, families)
                    for name, families in SONGS.items()
                },
            }
            costs = interleaved(jobs, repeats=given.repeats)
    songs = {name: [1000 * cost.cpu_s for cost in costs.pop(name)] for name in SONGS}
    rates = {name: [FILES / cost.wall_s for cost in told] for name, told in costs.items()}
    cpu_ms = {name: [1000 * cost.cpu_s / FILES for cost in told] for name, told in costs.items()}
    over = [mine - loops for mine, loops in zip(cpu_ms["workers"], cpu_ms["loop"], strict=True)]
    lines = [
        ("reference: a plain loop, one process", spread(rates["loop"]), spread(cpu_ms["loop"]), "", ""),
        (
            f"chordal extract, {WORKERS} worker processes",
            spread(rates["workers"]),
            spread(cpu_ms["workers"]),
            spread(over),
            ratio(rates["workers"], rates["loop"]),
        ),
    ]
    title = f"flow: {FILES} files of {SECONDS} s, {FAMILY}, embedded broker, on {disk(folder)}"
    show(title, COLUMNS, lines)
    sys.stdout.write(
        f"the command itself: {spread(command.own_cpu_s[1:])} s of CPU, start-up and waiting included; "
        f"{spread(command.whole_s[1:])} s from its start to its end\n"
    )
    for name, took_ms in songs.items():
        shares = [100 * mine / whole for mine, whole in zip(over, took_ms, strict=True)]
        sys.stdout.write(
            f"of a 4-minute MP3, {spread(took_ms)} ms of CPU for {name}, the overhead is {spread(shares)} % "
            "(target: below 3)\n"
        )


def _ended_cpu_s() -> float:
    """Return the CPU seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _write_library(folder: Path, seed: int) -> Path:
    """Write short files that no other library has, and return their folder."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(FILES):
        noise = 0.1 * rng.standard_normal(int(SECONDS * RATE_HZ))
        soundfile.write(folder / f"{number:04}.wav", noise, RATE_HZ)
    return folder
