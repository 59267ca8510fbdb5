"""What it costs to label a library whose features are stored: `chordal predict`, from its exec to its last answer.

The library is of files of a few bytes; vectors of `mfcc_mean` are put into the store for them, and a logistic
regression is trained on some others by `chordal run`, as an owner would. Every answer is checked to be there. The
reference looks at every file and does nothing else. Not measured: memory, extraction, networks, and families with many
rows for each track, where reading them (`read`) and the network's own work come on top.
"""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.measuring import Cost, disk, interleaved, processes, ratio, show, spread
from tests.bench.scale import LOOKING, RECIPE, ended_cpu_s, looking, write_library

FEW = 200
"""Files the model learns from."""
PREDICT = "chordal predict, all stored"
COLUMNS = ("", "s", "CPU s", "tracks/s", "s / reference")


def measure(folder: Path, given) -> None:
    """Print the tables, each of a tenth of the tracks given."""
    for tracks in (max(each // 10, 6) for each in given.tracks):
        library, few = (write_library(folder / f"{name}-{tracks}", n) for name, n in (("all", tracks), ("few", FEW)))
        home = folder / f"home-{tracks}"
        for each in (library, few):
            fill(home, each)
        recipe = folder / "recipe.toml"
        recipe.write_text(RECIPE, "utf-8")
        chordal("run", str(few), "--recipe", str(recipe), "--home", str(home))
        with processes(1) as [process]:
            jobs = {PREDICT: partial(_predict, home, library, tracks), LOOKING: partial(looking, process, library)}
            costs = interleaved(jobs, repeats=given.repeats)
        walls = {name: [cost.wall_s for cost in told] for name, told in costs.items()}
        lines = [
            (
                name,
                spread(walls[name]),
                spread([cost.cpu_s for cost in told]),
                spread([tracks / wall_s for wall_s in walls[name]]),
                "" if name == LOOKING else ratio(walls[name], walls[LOOKING]),
            )
            for name, told in costs.items()
        ]
        show(f"predict: {tracks:,} tracks whose features are stored, on {disk(folder)}", COLUMNS, lines)


def fill(home: Path, library: Path) -> None:
    """Put a vector for every file into a home's store; those of a folder lie together."""
    import numpy as np

    from pipeline.features.registry import family
    from pipeline.features.spec import FeatureRows
    from pipeline.library.scan import scan
    from pipeline.library.tracks import TrackRecord
    from storage import FileFeatureStore
    from storage.filestore.bulk_load import bulk_load
    from storage.filestore.store_mark import open_layout

    spec = family("mfcc_mean").spec
    random = np.random.default_rng(1)

    def stored() -> Iterator[tuple[TrackRecord, FeatureRows]]:
        for track in scan([str(library)]):
            path = Path(track.path)
            values = random.normal(float(path.parent.name), 0.3, (1, *spec.row_shape)).astype(np.float32)
            content = hashlib.blake2b(path.read_bytes() + str(library).encode(), digest_size=16).hexdigest()
            record = TrackRecord(
                track_id=track.track_id, path=track.path, stamp=track.stamp, sequence=1, content_hash=content,
                duration_s=240.0, sample_rate_hz=44_100, channels=2,
            )  # fmt: skip
            yield record, FeatureRows(values=values, start_s=np.zeros(1, np.float32), channel=np.full(1, -1, np.int8))

    FileFeatureStore.open(home / "store")
    bulk_load(open_layout(home / "store"), spec, stored())


def chordal(*words: str) -> str:
    """Run a command of chordal and return what it prints; ends the benchmark where it fails."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "workers.cli", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"bench: chordal {words[0]} failed: {done.stderr}")
    return done.stdout


def _predict(home: Path, library: Path, tracks: int, _round: int) -> Cost:
    began_s, cpu_s = time.perf_counter(), ended_cpu_s()
    answers = chordal("predict", str(library), "--csv", "--home", str(home)).splitlines()
    wall_s = time.perf_counter() - began_s
    if len(answers) != tracks + 1:
        raise SystemExit(f"bench: {len(answers) - 1} answers for {tracks} tracks")
    return Cost(cpu_s=ended_cpu_s() - cpu_s, wall_s=wall_s, peak_mib=0.0)
