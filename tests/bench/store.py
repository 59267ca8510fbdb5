"""What a store of many tracks costs to open, list, sample and verify, and what compaction costs.

Every row is a process of its own, so that its peak memory is its own; wall seconds count, from files that the system
has in memory. The first table is of small tracks, 4 rows of 8 numbers each, written by the writer of compaction; its
references read the same numbers from one HDF5 file or by np.load. The second is of segments of 700 KiB, each round of a
new store; its reference appends the same files to one. Not measured: cold files, several readers or hosts, large rows.
"""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.commit_rows import ROWS_PER_SEGMENT
from tests.bench.measuring import Cost, Measured, disk, interleaved, processes, ratio, show, spread
from tests.bench.store_rows import ROW_COLUMNS, ROWS_PER_TRACK, SAMPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table: the function that does it, and the row it is held against."""

    does: str
    reference: str = ""


ONE_FILE = "reference: columns of one HDF5 file"
APPENDED = "reference: append to one file, unlink"
READING = {
    "open, snapshot, count": Row(does="opening", reference="reference: ids of one HDF5 file, sorted"),
    "columns of all records": Row(does="columns", reference=ONE_FILE),
    "labels of all tracks": Row(does="labels", reference="reference: np.load of the columns"),
    "all records as values": Row(does="listing"),
    f"rows of {SAMPLE:,} contents": Row(does="sampling", reference="reference: the same of one HDF5 file"),
    f"families of {SAMPLE:,} contents": Row(does="knowing"),
    "verify": Row(does="verifying", reference="reference: CRC-32 of every file"),
    "reference: ids of one HDF5 file, sorted": Row(does="opening_reference"),
    ONE_FILE: Row(does="columns_reference"),
    "reference: np.load of the columns": Row(does="columns_npy"),
    "reference: the same of one HDF5 file": Row(does="sampling_reference"),
    "reference: CRC-32 of every file": Row(does="verifying_reference"),
}
COMPACTING = {
    "compact": Row(does="compacting", reference=APPENDED),
    APPENDED: Row(does="compacting_reference"),
}


def measure(folder: Path, given) -> None:
    """Print the tables."""
    for tracks in given.tracks:
        home = folder / str(tracks)
        home.mkdir()
        with processes(1) as (builder,):
            built = builder("tests.bench.store_rows:build", str(home), tracks)
        files = [path for path in (home / "store").rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 2**20
        title = (
            f"store: {tracks:,} tracks of {ROWS_PER_TRACK} x {ROW_COLUMNS} float32 on {disk(folder)}, "
            f"{len(files):,} files, {size:,.0f} MiB; made in {built.wall_s:,.0f} s"
        )
        columns = ("", "ms", "CPU ms", "/ reference", "peak MiB")
        costs = _costs(READING, lambda _, does, process, home=home, n=tracks: process(does, str(home), n), given)
        lines = [(name, *_shared(costs, name, READING), _peak(told)) for name, told in costs.items()]
        show(title, columns, lines)
        shutil.rmtree(home)
    mebibytes = given.segments * ROWS_PER_SEGMENT * 130 * 16 * 4 / 2**20
    costs = _costs(COMPACTING, partial(_compact, folder, given.segments), given)
    lines = [
        (title, *_shared(costs, title, COMPACTING), spread([mebibytes / cost.wall_s for cost in told]), _peak(told))
        for title, told in costs.items()
    ]
    columns = ("", "ms", "CPU ms", "/ reference", "MiB/s", "peak MiB")
    show(f"store: compaction of {given.segments:,} segments, {mebibytes:,.0f} MiB, on {disk(folder)}", columns, lines)


def _costs(rows: Mapping[str, Row], do, given) -> dict[str, list[Cost]]:
    with ExitStack() as crew:
        started = crew.enter_context(processes(len(rows)))
        jobs = {
            title: partial(_job, do, f"tests.bench.store_rows:{row.does}", process)
            for (title, row), process in zip(rows.items(), started, strict=True)
        }
        return interleaved(jobs, repeats=given.repeats)


def _job(do, does: str, process: Measured, number: int) -> Cost:
    return do(number, does, process)


def _compact(folder: Path, segments: int, number: int, does: str, process: Measured) -> Cost:
    target = folder / f"{does.rpartition(':')[2]}-{number}"
    try:
        return process(does, str(target), segments)
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _shared(costs: Mapping[str, list[Cost]], title: str, rows: Mapping[str, Row]) -> tuple[str, str, str]:
    """Return the cells that both tables have."""
    told, reference = costs[title], costs.get(rows[title].reference)
    wall = [cost.wall_s for cost in told]
    held = ratio(wall, [cost.wall_s for cost in reference]) if reference else ""
    return spread([1000 * value for value in wall]), spread([1000 * cost.cpu_s for cost in told]), held


def _peak(told: list[Cost]) -> str:
    return f"{max(cost.peak_mib for cost in told):,.0f}"
