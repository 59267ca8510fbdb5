"""What an edit of tags costs: the digests of a file beside its extraction, and `chordal extract` of retagged songs.

The first table is of single files, read into the page cache by the warm-up: the digest of all bytes alone, that and the
digest of the sound from one reading, and an extraction by the families of the default recipe, both digests included.
The share of the sound's digest is what it adds to that of all bytes. The second table is of N songs of four minutes: an
embedded broker and two real workers extract them, then mutagen gives each another genre, and the same command runs
again, which has to find every one of them unchanged. CPU is that of broker and workers; the command's own is told
apart, as most of it is start-up. Each song is one MP3 cut at another frame, so that no two have the same sound.
Not measured: a cold disk, where reading is most of a retagged file's cost.
"""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
from mutagen import id3

from pipeline.plans.recipe import load_recipe
from tests.bench.measuring import Cost, disk, interleaved, processes, ratio, show, spread
from tests.bench.piece import write_piece, write_song
from tests.bench.scale import ended_cpu_s
from workers.processes.cluster import LocalCluster, local_cluster

WORKERS = 2
FAMILIES = load_recipe("default").families
ROWS = ("all_bytes", "both", "extraction")
EXTRACTED, RETAGGED = "chordal extract, new songs", "chordal extract, other genres"
SHARE_COLUMNS = ("", "MB", "all bytes, CPU ms", "both, CPU ms", "extraction, CPU ms", "both, %", "the sound's, %")
SONG_COLUMNS = ("", "s in all", "CPU ms/song", "the command's own CPU, s")
CUT_BYTES = 2_000
_FRAME = b"\xff\xfb"


def measure(folder: Path, given) -> None:
    """Print the tables."""
    measure_digests(folder, given)
    measure_songs(folder, given)


def measure_digests(folder: Path, given) -> None:
    """Print the table of single files."""
    files = given.audio or write_piece(folder, given.seconds)
    with processes(1) as [process]:
        jobs = {f"{row} {file}": partial(_row, process, row, file) for file in files for row in ROWS}
        costs = interleaved(jobs, repeats=given.repeats)
    lines = []
    for file in files:
        alone, both, extraction = ([1000 * cost.cpu_s for cost in costs[f"{row} {file}"]] for row in ROWS)
        added = [mine - least for mine, least in zip(both, alone, strict=True)]
        shares = [ratio([100 * value for value in values], extraction) for values in (both, added)]
        megabytes = f"{Path(file).stat().st_size / 1e6:.1f}"
        lines.append((Path(file).name[-24:], megabytes, *map(spread, (alone, both, extraction)), *shares))
    show("retag: digests (target: the sound's at most 10 % of an extraction)", SHARE_COLUMNS, lines)


def _row(process, row: str, file: str, _round: int) -> Cost:
    return process(f"tests.bench.retag_rows:{row}", str(file), FAMILIES, at_least_s=0.2)


def measure_songs(folder: Path, given, *, times: int = 8) -> None:
    """Print the table of songs, each half a minute several times over."""
    songs, few = given.songs, 2
    song = Path(write_song(folder, times=times)).read_bytes()
    warm_up = _write_songs(folder / "warm-up", song, range(songs, songs + few))
    library = _write_songs(folder / "songs", song, range(songs))
    (folder / "home" / "logs").mkdir(parents=True)
    with local_cluster(folder / "home", None, WORKERS) as running:
        command = _Command(folder, running)
        command(warm_up, "extracted")
        new = command(library, "extracted")
        for path in library.iterdir():
            _tag(path, "Rock and Roll")
        again = command(library, "retagged")
    lines = [
        (
            name,
            f"{cost.wall_s:.1f}",
            f"{1000 * cost.cpu_s / songs:.1f}",
            f"{own_s:.1f}",
        )
        for name, (cost, own_s) in ((EXTRACTED, new), (RETAGGED, again))
    ]
    show(f"retag: {songs} MP3 of {times / 2:g} minutes, default recipe, on {disk(folder)}", SONG_COLUMNS, lines)
    share = 100 * again[0].cpu_s / new[0].cpu_s
    sys.stdout.write(f"retagged songs take {share:.1f} % of the CPU of new ones (target: at most 8)\n")


class _Command:
    """`chordal extract` on a running cluster."""

    def __init__(self, folder: Path, running: LocalCluster) -> None:
        self._home = folder / "home"
        self._broker = running.broker.url

    def __call__(self, library: Path, outcome: str) -> tuple[Cost, float]:
        """Extract; return the cost of broker and workers, and the CPU seconds of the command itself."""
        words = ["extract", str(library), "--json", "--home", str(self._home), "--broker", self._broker]
        before_s, own_s, began_s = _machinery_cpu_s(), ended_cpu_s(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "workers.cli", *words], stdout=subprocess.PIPE, text=True, check=True
        )
        wall_s = time.perf_counter() - began_s
        found = json.loads(done.stdout)
        if {**found["tracks"], "retagged": found["retagged"]}[outcome] != len(list(library.iterdir())):
            raise SystemExit(f"bench: not every song was {outcome}: {found['tracks']}")
        cost = Cost(cpu_s=_machinery_cpu_s() - before_s, wall_s=wall_s, peak_mib=0)
        return cost, ended_cpu_s() - own_s


def _machinery_cpu_s() -> float:
    """Return the CPU seconds so far of the broker and of all worker processes."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(each.user + each.system for each in times)


def _write_songs(library: Path, song: bytes, numbers: range) -> Path:
    """Write a song cut at other frames, so that no two have the same sound, and return their folder."""
    library.mkdir()
    for number in numbers:
        path = library / f"{number:04}.mp3"
        path.write_bytes(song[song.index(_FRAME, CUT_BYTES + 1_000 * number) :])
        _tag(path, "Jazz")
    return library


def _tag(path: Path, genre: str) -> None:
    tags = id3.ID3()
    tags.add(id3.TCON(encoding=3, text=[genre]))
    tags.save(path)
