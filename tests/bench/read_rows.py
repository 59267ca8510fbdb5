"""What the rows of the `read` table do, and the store they read."""

import os
from pathlib import Path

import numpy as np

TRACKS = 700
ROWS_PER_TRACK = 86
ROWS = TRACKS * ROWS_PER_TRACK
BATCH = 64


def fill(folder) -> None:
    """Make a compacted store of `TRACKS` tracks."""
    from pipeline.features.families import mfcc_segments
    from pipeline.features.spec import FeatureRows
    from storage import FileFeatureStore
    from storage.filestore.bulk_load import bulk_load
    from storage.filestore.store_mark import find_layout
    from storage.testing.samples import record

    FileFeatureStore.open(Path(folder))
    values = np.random.default_rng(1).standard_normal((ROWS_PER_TRACK, 130, 16)).astype(np.float32)
    start_s = np.arange(ROWS_PER_TRACK, dtype=np.float32) * 3
    channel = np.full(ROWS_PER_TRACK, -1, np.int8)
    rows = FeatureRows(values=values, start_s=start_s, channel=channel)
    bulk_load(find_layout(Path(folder)), mfcc_segments.spec, ((record(f"/{n}", n), rows) for n in range(TRACKS)))


def in_file_order(folder, number):
    """Read all rows part after part, 64 at a time, by h5py alone."""
    import h5py

    files = sorted((Path(folder) / "parts").glob("mfcc_segments-*.h5"))
    _drop(folder)

    def work():
        rows = 0
        for path in files:
            with h5py.File(path, "r", locking=False, rdcc_nbytes=0) as file:
                [family] = file["features"].values()
                values = family["values"]
                for begin in range(0, len(values), BATCH):
                    rows += len(values[begin : begin + BATCH])
        _check(rows)

    return work


def shuffled(folder, number):
    """Take an epoch of shuffled batches, checked, with what it takes to begin."""
    from pipeline.features.families import mfcc_segments
    from storage.features.row_stream import RowStream
    from storage.filestore.rows.extents import locate
    from storage.filestore.store_mark import find_layout

    layout, spec = find_layout(Path(folder)), mfcc_segments.spec
    contents = locate(layout, spec.key).contents
    _drop(folder)

    def work():
        stream = RowStream(layout, spec, contents, seed=number, window_bytes=32 << 20)
        rows = sum(
            len(stream.read(begin, min(begin + BATCH, stream.rows))[0]) for begin in range(0, stream.rows, BATCH)
        )
        _check(rows)

    return work


def _drop(folder) -> None:
    """Drop the store's files from the page cache."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in Path(folder).rglob("*.h5"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _check(rows) -> None:
    if rows != ROWS:
        raise AssertionError(f"{rows} rows were read, not {ROWS}")
