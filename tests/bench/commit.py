"""What durable storing costs: commits per second of a 700 KiB segment, by one process and by two at once.

Wall seconds, since waiting for the disk is the work; with two processes the slower one counts. The reference writes
the same float32 array by np.save, fsync and rename; a second one also flushes the folder, as the store does, and as
it takes for the name to survive a power cut. Every repeat writes into a new folder. Not measured: compaction, reading,
a store that is full already, other hosts.
"""

import shutil
from functools import partial
from pathlib import Path

from tests.bench.commit_rows import ROWS_PER_SEGMENT
from tests.bench.measuring import Cost, Measured, disk, interleaved, processes, ratio, show, spread

COMMITS = 40
"""By each process in each round."""
REFERENCE = "reference: np.save, fsync, rename"
SYNCED = "reference: the same, fsync of the folder"
STORE = "FileFeatureStore.commit"
ROWS = {REFERENCE: "saves", SYNCED: "synced_saves", STORE: "store"}
COLUMNS = ("", "processes", "commits/s", "MiB/s", "CPU ms each", "/ np.save", "/ with folder")


def measure(folder: Path, given) -> None:
    """Print the table."""
    with processes(2) as started:
        jobs = {
            f"{title} {count}": partial(_job, f"tests.bench.commit_rows:{does}", started[:count], folder)
            for count in (1, 2)
            for title, does in ROWS.items()
        }
        costs = interleaved(jobs, repeats=given.repeats)
    lines = []
    for count in (1, 2):
        rates = {title: [count * COMMITS / cost.wall_s for cost in costs[f"{title} {count}"]] for title in ROWS}
        for title, rate in rates.items():
            mebibytes = ROWS_PER_SEGMENT * 130 * 16 * 4 / 2**20
            cpu_ms = [1000 * cost.cpu_s / (count * COMMITS) for cost in costs[f"{title} {count}"]]
            lines.append(
                (
                    title,
                    str(count),
                    spread(rate),
                    spread([value * mebibytes for value in rate]),
                    spread(cpu_ms),
                    ratio(rate, rates[REFERENCE]) if title != REFERENCE else "",
                    ratio(rate, rates[SYNCED]) if title == STORE else "",
                )
            )
    show(f"commit: a segment of {ROWS_PER_SEGMENT * 130 * 16 * 4 / 1024:,.0f} KiB on {disk(folder)}", COLUMNS, lines)


def _job(does: str, crew: list[Measured], folder: Path, number: int) -> Cost:
    """Let the crew write at once; return their CPU together, the wall time of the slowest."""
    target = folder / f"round-{number}"
    try:
        for place, process in enumerate(crew):
            process.begin(does, str(target), place * COMMITS, COMMITS)
        costs = [process.end() for process in crew]
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return Cost(
        cpu_s=sum(cost.cpu_s for cost in costs),
        wall_s=max(cost.wall_s for cost in costs),
        peak_mib=max(cost.peak_mib for cost in costs),
    )
