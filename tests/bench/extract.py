"""What extraction costs: CPU seconds per file of decoding, each feature family, all together, and the references.

Every row is a process of its own with one numeric thread, which does the work once to warm up (imports, filter banks)
and then once in each round, in turn with the other rows. Seconds are CPU seconds of that process, kernel included,
so what it waits for, the disk above all, is not in them: the `commit` section measures that. Families alone, and the
references of single families, get decoded samples and resample them for themselves; the rows of whole files read,
hash and decode the file, resample once and compute the four families of the tutorials. Not measured: start-up,
frame_stats against a reference (no tutorial has it), reading from a cold disk.
"""

import shutil
from dataclasses import dataclass
from functools import partial
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
    whole_file: bool = False
    """Whether it starts from the file; else from samples, which are the same for all formats of the made piece."""
    commits: bool = False


DECODE = "decode only"
NOTEBOOK = "reference: notebook loops, all four"
ROWS = (
    Row(title=DECODE, does="decoding", whole_file=True),
    Row(title="loudness", does="loudness", reference="reference: notebook loudness"),
    Row(title="mfcc_segments", does="mfcc_segments", reference="reference: notebook MFCC segments"),
    Row(title="mfcc_mean", does="mfcc_mean", reference="reference: librosa MFCC, whole file"),
    Row(title="logmel", does="logmel", reference="reference: notebook log-mel"),
    Row(title="frame_stats", does="frame_stats"),
    Row(title="all four by extract()", does="together", reference=NOTEBOOK, whole_file=True),
    Row(title="all four and commit", does="together_and_commit", reference=NOTEBOOK, whole_file=True, commits=True),
    Row(title=NOTEBOOK, does="notebook_everything", whole_file=True),
    Row(title="reference: notebook loudness", does="notebook_loudness"),
    Row(title="reference: notebook MFCC segments", does="notebook_segments"),
    Row(title="reference: librosa MFCC, whole file", does="librosa_mfcc"),
    Row(title="reference: notebook log-mel", does="notebook_logmel"),
)
COLUMNS = ("", "input", "CPU s", "x real time", "CPU of decoding", "reference's CPU / its CPU", "peak MiB")


def measure(folder: Path, given) -> None:
    """Print the table for the made piece in four formats, or for the files given."""
    files = given.audio or write_piece(folder, given.seconds)
    seconds = [soundfile.info(file).duration for file in files]
    chosen = [(row, i) for row in ROWS for i in range(len(files)) if row.whole_file or given.audio or i == 0]
    with processes([f"tests.bench.extract_rows:{row.does}" for row in ROWS]) as started:
        measured = dict(zip((row.title for row in ROWS), started, strict=True))
        jobs = {f"{row.title} {i}": partial(_job, row, measured[row.title], files[i], folder) for row, i in chosen}
        costs = interleaved(jobs, repeats=given.repeats)
    cpu = {name: [cost.cpu_s for cost in told] for name, told in costs.items()}
    lines = []
    for row, i in chosen:
        own = cpu[f"{row.title} {i}"]
        whole = row.whole_file or given.audio
        lines.append(
            (
                row.title,
                Path(files[i]).name if given.audio else Path(files[i]).suffix[1:] if whole else "samples",
                spread(own),
                spread([seconds[i] / value for value in own]),
                "" if row.title == DECODE else ratio(own, cpu[f"{DECODE} {i}"]),
                ratio(cpu[f"{row.reference} {i}"], own) if row.reference else "",
                f"{max(cost.peak_mib for cost in costs[f'{row.title} {i}']):,.0f}",
            )
        )
    length = f"{min(seconds):,.0f} s" if len(set(seconds)) == 1 else f"{min(seconds):,.0f} to {max(seconds):,.0f} s"
    about = f"{len(files)} files of {length}" if given.audio else f"a made piece, {length}, stereo, 44.1 kHz"
    show(f"extract: {about}; store on {disk(folder)}", COLUMNS, lines)


def _job(row: Row, process: Measured, file: str, folder: Path, number: int) -> Cost:
    if not row.commits:
        return process(file)
    store = folder / f"store-{number}"
    try:
        return process(file, str(store))
    finally:
        shutil.rmtree(store, ignore_errors=True)
