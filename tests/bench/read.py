"""What reading for training costs: shuffled batches of 8.3 KB rows, streamed from cold files by one process.

The reference is h5py reading the same rows from the same files in file order, unchecked: the least that reading the
store can cost. Before each repeat the files are dropped from the page cache (Linux; elsewhere they may stay warm). The
store is 0.5 GB, many times what is held in memory. Not measured: Keras, whose part is the same whatever feeds it; a
store larger than the machine's memory; reading beside writers.
"""

import statistics
from functools import partial

from tests.bench.measuring import disk, interleaved, processes, ratio, show, spread
from tests.bench.read_rows import ROWS, TRACKS, fill

REFERENCE = "reference: h5py, file order"
STREAM = "RowStream, shuffled, checked"
JOBS = {REFERENCE: "in_file_order", STREAM: "shuffled"}
COLUMNS = ("", "rows/s", "MiB/s", "CPU us a row", "/ reference", "peak MiB")


def measure(folder, given) -> None:
    """Print the table."""
    fill(folder)
    with processes(len(JOBS)) as started:
        jobs = {
            title: partial(_job, process, f"tests.bench.read_rows:{does}", str(folder))
            for process, (title, does) in zip(started, JOBS.items(), strict=True)
        }
        costs = interleaved(jobs, repeats=given.repeats)
    rates = {title: [ROWS / cost.wall_s for cost in found] for title, found in costs.items()}
    lines = [
        (
            title,
            spread(rate),
            spread([value * 130 * 16 * 4 / 2**20 for value in rate]),
            spread([1e6 * cost.cpu_s / ROWS for cost in costs[title]]),
            ratio(rate, rates[REFERENCE]) if title != REFERENCE else "",
            f"{statistics.median(cost.peak_mib for cost in costs[title]):.0f}",
        )
        for title, rate in rates.items()
    ]
    show(f"read: {ROWS:,} rows of 8,320 bytes, {TRACKS} tracks, cold, on {disk(folder)}", COLUMNS, lines)


def _job(process, does, folder, number):
    # A seed of its own for each round: a page cache that could not be dropped helps no more than it must.
    return process(does, folder, number)
