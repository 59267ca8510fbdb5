"""What extraction costs: CPU seconds per file of decoding, each feature family, all together, and the references.

Every row is a process of its own with one numeric thread, which does the work once to warm up (imports, filter banks)
and then once in each round, in turn with the other rows. Seconds are CPU seconds of that process, kernel included,
so what it waits for, the disk above all, is not in them: the `commit` section measures that. Families alone, and the
references of single families, get decoded samples and resample them for themselves; the rows of whole files read,
hash and decode the file, resample once and compute the four families of the tutorials. Not measured: start-up,
frame_stats against a reference (no tutorial has it), reading from a cold disk.
"""

import os
import shutil
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import soundfile

from tests.bench.measuring import Cost, Measured, disk, interleaved, processes, ratio, show, spread
from tests.bench.piece import write_piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table: its title, the function that does it, and the reference it is held against."""

    title: str
    does: str
    reference: str = ""
    from_file: bool = True
    """Else it starts from samples."""
    every_format: bool = False
    """Else it is done for the first format of the made piece only: the others have the same samples in them."""
    commits: bool = False


AT_LEAST_S = 0.2
"""What takes less CPU is done again within a round: a process that was asleep needs a moment to be itself."""

DECODE = "decode only"
NOTEBOOK = "reference: notebook loops, all four"
ROWS = (
    Row(title=DECODE, does="decoding", every_format=True),
    Row(title="loudness", does="loudness", reference="reference: notebook loudness", from_file=False),
    Row(title="mfcc_segments", does="mfcc_segments", reference="reference: notebook MFCC segments", from_file=False),
    Row(title="mfcc_mean", does="mfcc_mean", reference="reference: librosa MFCC, whole file", from_file=False),
    Row(title="logmel", does="logmel", reference="reference: notebook log-mel", from_file=False),
    Row(title="frame_stats", does="frame_stats", from_file=False),
    Row(title="all four by extract()", does="together", reference=NOTEBOOK, every_format=True),
    Row(title="all four and commit", does="together_and_commit", reference=NOTEBOOK, commits=True),
    Row(title=NOTEBOOK, does="notebook_everything", every_format=True),
    Row(title="reference: notebook loudness", does="notebook_loudness", from_file=False),
    Row(title="reference: notebook MFCC segments", does="notebook_segments", from_file=False),
    Row(title="reference: librosa MFCC, whole file", does="librosa_mfcc", from_file=False),
    Row(title="reference: notebook log-mel", does="notebook_logmel", from_file=False),
)
COLUMNS = ("", "input", "x real time", "CPU / decoding", "x speed of reference", "peak MiB")


def measure(folder: Path, given) -> None:
    """Print the table for the made piece in four formats, or for the files given."""
    files = given.audio or write_piece(folder, given.seconds)
    seconds = [soundfile.info(file).duration for file in files]
    chosen = [(row, i) for row in ROWS for i in range(len(files)) if row.every_format or given.audio or i == 0]
    with processes(1 if given.one_process else len(ROWS)) as started:
        measured = dict(zip((row.title for row in ROWS), cycle(started), strict=False))
        jobs = {f"{row.title} {i}": partial(_job, row, measured[row.title], files[i], folder) for row, i in chosen}
        # One file warms a process up, and importing is worth every core.
        warm = [f"{row.title} 0" for row in ROWS]
        at_once = min(len(started), os.cpu_count() or 1)
        costs = interleaved(jobs, repeats=given.repeats, warm=warm, at_once=at_once)
    cpu = {name: [cost.cpu_s for cost in told] for name, told in costs.items()}
    names = [Path(file).name if given.audio else Path(file).suffix[1:] for file in files]
    lines = []
    for row, i in chosen:
        own = cpu[f"{row.title} {i}"]
        lines.append(
            (
                row.title,
                f"{'' if row.from_file else 'samples of '}{names[i]}",
                spread([seconds[i] / value for value in own]),
                "" if row.title == DECODE else ratio(own, cpu[f"{DECODE} {i}"]),
                ratio(cpu[f"{row.reference} {i}"], own) if row.reference else "",
                f"{max(cost.peak_mib for cost in costs[f'{row.title} {i}']):,.0f}",
            )
        )
    length = f"{min(seconds):,.0f} s" if len(set(seconds)) == 1 else f"{min(seconds):,.0f} to {max(seconds):,.0f} s"
    about = f"given files, {length}" if given.audio else f"a made piece, {length}, stereo, 44.1 kHz"
    show(f"extract: {about}; store on {disk(folder)}", COLUMNS, lines)


def _job(row: Row, process: Measured, file: str, folder: Path, number: int) -> Cost:
    does = f"tests.bench.extract_rows:{row.does}"
    if not row.commits:
        return process(does, file, at_least_s=AT_LEAST_S)
    store = folder / f"store-{number}"
    try:
        return process(does, file, str(store))
    finally:
        shutil.rmtree(store, ignore_errors=True)
