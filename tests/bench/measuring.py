"""Processes that do one thing again and again and tell what it cost them; spreads, ratios and tables.

Imported by every measured process, so nothing here loads NumPy.
"""

import importlib
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one repeat took: CPU seconds of its process, wall seconds, the process's peak memory so far in MiB."""

    cpu_s: float
    wall_s: float
    peak_mib: float


class Measured:
    """A process that does things and tells what each cost it, alive for all repeats."""

    def __init__(self) -> None:
        # Spawned, not forked: the peak memory is that of what it does, not of this process.
        spawning = multiprocessing.get_context("spawn")
        self._talking, answering = spawning.Pipe()
        self._process = spawning.Process(target=_serve, args=(answering,), daemon=True)
        self._process.start()
        answering.close()

    def begin(self, prepare: str, *arguments: object, at_least_s: float = 0.0) -> None:
        """Start a repeat of `module:function`, a function of the arguments that returns what is to be timed.

        What the function itself does is preparation and not timed. Both are done again until `at_least_s` seconds
        of CPU are timed; the cost is then the mean.
        """
        self._talking.send((prepare, arguments, at_least_s))

    def end(self) -> Cost:
        """Wait for the repeat and return its cost."""
        try:
            return self._talking.recv()
        except EOFError:
            raise SystemExit("bench: a measured process failed; its error is above") from None

    def __call__(self, prepare: str, *arguments: object, at_least_s: float = 0.0) -> Cost:
        """Do a repeat and return its cost."""
        self.begin(prepare, *arguments, at_least_s=at_least_s)
        return self.end()

    def close(self) -> None:
        """Let the process end."""
        self._talking.close()
        self._process.join(10)


def _serve(talking) -> None:
    while True:
        try:
            prepare, arguments, at_least_s = talking.recv()
        except EOFError:
            return
        module, _, function = prepare.partition(":")
        prepared = getattr(importlib.import_module(module), function)
        cpu_s = wall_s = 0.0
        times = 0
        while not times or cpu_s < at_least_s:
            work = prepared(*arguments)
            wall_at, cpu_at = time.perf_counter(), time.process_time()
            work()
            cpu_s += time.process_time() - cpu_at
            wall_s += time.perf_counter() - wall_at
            times += 1
        talking.send(Cost(cpu_s=cpu_s / times, wall_s=wall_s / times, peak_mib=_peak_mib()))


def _peak_mib() -> float:
    """Return the peak resident memory of this process, MiB."""
    # macOS counts bytes.
    return peak_mib(os.getpid()) or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def peak_mib(pid: int) -> float:
    """Return the peak resident memory of a process, MiB; 0 where the system does not tell it."""
    try:
        # Linux's ru_maxrss begins with what the parent had before the exec; this does not.
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration):
        return 0.0


@contextmanager
def processes(count: int) -> Iterator[list[Measured]]:
    """Start some processes; end them all at the end."""
    started = [Measured() for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.close()


def interleaved(
    jobs: Mapping[str, Callable[[int], Cost]], *, repeats: int, warm: Sequence[str] | None = None, at_once: int = 1
) -> dict[str, list[Cost]]:
    """Return the costs of every job: in each round every job is done once, in turn, with the round's number from 1.

    Whatever else the machine does in the meantime meets all jobs alike. Before, the jobs named in `warm`, all by
    default, are done once as round 0, `at_once` of them at a time, and not counted.
    """
    with ThreadPoolExecutor(at_once) as pool:
        for done, name in enumerate(pool.map(lambda name: (jobs[name](0), name)[1], jobs if warm is None else warm)):
            _progress(f"warm-up {done + 1}: {name}")
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    for number in range(1, repeats + 1):
        for name, job in jobs.items():
            _progress(f"round {number} of {repeats}: {name}")
            costs[name].append(job(number))
    _progress("")
    return costs


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def spread(values: Sequence[float]) -> str:
    """Return `median (lowest..highest)` with three digits."""
    return f"{_short(statistics.median(values))} ({_short(min(values))}..{_short(max(values))})"


def ratio(values: Sequence[float], references: Sequence[float]) -> str:
    """Return the spread of the ratios of each round."""
    return spread([value / reference for value, reference in zip(values, references, strict=True)])


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table under a title, the first column to the left, the others to the right."""
    widths = [max(len(line[i]) for line in (columns, *rows)) for i in range(len(columns))]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in (columns, *rows)
    ]
    sys.stdout.write("\n".join(["", title, lines[0], "-" * len(lines[0]), *lines[1:]]) + "\n")
    sys.stdout.flush()


def disk(folder: Path) -> str:
    """Return the kind of file system a folder lies on: fsync costs nothing on some."""
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown file system"
