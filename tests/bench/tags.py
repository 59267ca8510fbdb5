"""What labels and groups from tags cost a scan beside those from folders, of a library in which nothing changed.

`chordal scan` over small MP3s with ID3 tags of their own, all of them again and again: by folder, the reference; by
`tag:genre` and `tag:artist`, in a home whose store has the tags in its records, and in one where only an earlier scan
has read them; the store's for the first time, too; and where nothing is known, so that every file is opened.
The commands run as a user runs them, with their
start. The files lie in the system's cache: a cold disk adds to that alone.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.bench.measuring import Cost, disk, interleaved, ratio, show, spread
from tests.bench.predict import chordal
from tests.bench.scale import ended_cpu_s

FOLDER_FILES = 1_000
GENRES, ARTISTS = 20, 500
BY_TAG = ("--labels", "tag:genre", "--groups", "tag:artist")
REFERENCE = "reference: scan by folder"
EARLIER = "by tags that an earlier scan read"
STORED = "by tags in the store's records"
STORED_FIRST = "by tags in the store's records, for the first time"
FIRST = "by tags that nobody has read"
COLUMNS = ("", "s", "CPU s", "files per s", "s / reference")


def measure(folder: Path, given) -> None:
    """Print the table for each number of tracks."""
    for tracks in given.tracks:
        library = folder / f"library-{tracks}"
        write_library(library, tracks)
        stored, scanned = folder / f"stored-{tracks}", folder / f"scanned-{tracks}"
        fill(stored, library)
        chordal("scan", str(library), *BY_TAG, "--home", str(scanned))
        jobs: dict[str, Callable[[int], Cost]] = {
            REFERENCE: partial(_scan, stored, library, tracks, ()),
            STORED_FIRST: partial(_scan_first, stored, library, tracks),
            STORED: partial(_scan, stored, library, tracks, BY_TAG),
            EARLIER: partial(_scan, scanned, library, tracks, BY_TAG),
            FIRST: partial(_scan, None, library, tracks, BY_TAG),
        }
        costs = interleaved(jobs, repeats=given.repeats, warm=[REFERENCE])
        walls = {name: [cost.wall_s for cost in told] for name, told in costs.items()}
        lines = [
            (
                name,
                spread(walls[name]),
                spread([cost.cpu_s for cost in told]),
                spread([tracks / wall_s for wall_s in walls[name]]),
                ratio(walls[name], walls[REFERENCE]),
            )
            for name, told in costs.items()
        ]
        show(f"tags: {tracks:,} MP3s, {os.cpu_count()} cores, on {disk(folder)}", COLUMNS, lines)


def write_library(library: Path, tracks: int) -> None:
    """Write small MP3s, each with tags of its own."""
    import io

    from mutagen import id3

    sound = b"\xff\xfb\x90\x00" + bytes(413)  # a frame of silence, 128 kbit/s, 44.1 kHz
    for number in range(tracks):
        folder = library / f"{number // FOLDER_FILES:04d}"
        if number % FOLDER_FILES == 0:
            folder.mkdir(parents=True)
        tags = id3.ID3()
        tags.add(id3.TCON(encoding=3, text=[f"Genre {number % GENRES}"]))
        tags.add(id3.TPE1(encoding=3, text=[f"Artist {number % ARTISTS}"]))
        tags.add(id3.TIT2(encoding=3, text=[f"Song {number}"]))
        tags.add(id3.TALB(encoding=3, text=[f"Album {number // 10}"]))
        tags.add(id3.TRCK(encoding=3, text=[f"{number % 10 + 1}/10"]))
        tags.add(id3.TDRC(encoding=3, text=["1999"]))
        tags.add(id3.APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=bytes(10_000)))
        out = io.BytesIO()
        tags.save(out)
        (folder / f"{number:07d}.mp3").write_bytes(out.getvalue() + 4 * sound)


def fill(home: Path, library: Path) -> None:
    """Put a record with tags, and a vector, for every file into a home's store, as an extraction does."""
    import numpy as np

    from pipeline.features.registry import family
    from pipeline.features.spec import FeatureRows
    from pipeline.library.scan import scan
    from pipeline.library.tags.read import find_tags
    from pipeline.library.tracks import TrackRecord
    from storage import FileFeatureStore
    from storage.filestore.bulk_load import bulk_load
    from storage.filestore.store_mark import open_layout

    spec = family("mfcc_mean").spec
    row = FeatureRows(
        values=np.zeros((1, *spec.row_shape), np.float32),
        start_s=np.zeros(1, np.float32),
        channel=np.full(1, -1, np.int8),
    )

    def stored() -> Iterator[tuple[TrackRecord, FeatureRows]]:
        for track in scan([str(library)]):
            record = TrackRecord(
                track_id=track.track_id, path=track.path, stamp=track.stamp, sequence=1, content_hash=track.track_id,
                duration_s=240.0, sample_rate_hz=44_100, channels=2, tags=find_tags(track.path),
            )  # fmt: skip
            yield record, row

    FileFeatureStore.open(home / "store")
    bulk_load(open_layout(home / "store"), spec, stored())


def _scan_first(home: Path, library: Path, tracks: int, number: int) -> Cost:
    """Scan a library in a home in which nothing but the store's records has tags."""
    for written in home.glob("runs/*/tags*.npz"):
        written.unlink()
    return _scan(home, library, tracks, BY_TAG, number)


def _scan(home: Path | None, library: Path, tracks: int, options: tuple[str, ...], number: int) -> Cost:
    """Scan a library in a home, or in a new one."""
    folder = home or library.with_name(f"new-{number}")
    began_s, cpu_s = time.perf_counter(), ended_cpu_s()
    printed = chordal("scan", str(library), *options, "--home", str(folder))
    wall_s = time.perf_counter() - began_s
    if f"{tracks} scanned, 0 unlabelled" not in printed:
        raise SystemExit(f"bench: a scan of {tracks} tracks says {printed}")
    if home is None:
        shutil.rmtree(folder)
    return Cost(cpu_s=ended_cpu_s() - cpu_s, wall_s=wall_s, peak_mib=0.0)
