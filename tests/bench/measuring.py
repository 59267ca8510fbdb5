"""Processes that do one thing again and again and tell what it cost them; spreads, ratios and tables.

Imported by every measured process, so nothing here loads NumPy.
"""

import importlib
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """A process of its own for one row of a table, alive for all repeats.

    `prepare` is `module:function`. The function gets the arguments of a repeat and returns what is to be timed, so
    that preparing is not.
    """

    def __init__(self, prepare: str) -> None:
        self._prepare = prepare
        # Spawned, not forked: the peak memory is that of the row, not of this process.
        spawning = multiprocessing.get_context("spawn")
        self._talking, answering = spawning.Pipe()
        self._process = spawning.Process(target=_serve, args=(answering, prepare), daemon=True)
        self._process.start()
        answering.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def begin(self, *arguments: object) -> None:
        """Start a repeat."""
        self._talking.send(arguments)

    def end(self) -> Cost:
        """Wait for the repeat and return its cost."""
        try:
            return self._talking.recv()
        except EOFError:
            raise SystemExit(f"bench: {self._prepare} failed; its error is above") from None

    def __call__(self, *arguments: object) -> Cost:
        """Do a repeat and return its cost."""
        self.begin(*arguments)
        return self.end()

    def close(self) -> None:
        """Let the process end."""
        self._talking.close()
        self._process.join(10)


def _serve(talking, prepare: str) -> None:
    module, _, function = prepare.partition(":")
    prepared = getattr(importlib.import_module(module), function)
    while True:
        try:
            arguments = talking.recv()
        except EOFError:
            return
        work = prepared(*arguments)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        work()
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        talking.send(Cost(cpu_s=cpu_s, wall_s=wall_s, peak_mib=_peak_mib()))


def _peak_mib() -> float:
    """Return the peak resident memory of this process, MiB."""
    try:
        # Linux's ru_maxrss begins with what the parent had before the exec; this does not.
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


@contextmanager
def processes(prepares: Sequence[str]) -> Iterator[list[Measured]]:
    """Start a process per entry; end them all at the end."""
    started = [Measured(prepare) for prepare in prepares]
    try:
        yield started
    finally:
        for process in started:
            process.close()


def interleaved(jobs: Mapping[str, Callable[[int], Cost]], *, repeats: int) -> dict[str, list[Cost]]:
    """Return the costs of every job: round 0 warms up and is dropped, then each round does every job once, in turn.

    Whatever else the machine does in the meantime meets all jobs alike.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    for number in range(repeats + 1):
        for name, job in jobs.items():
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\033[Kround {number} of {repeats}: {name}")
            cost = job(number)
            if number:
                costs[name].append(cost)
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    return costs


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
