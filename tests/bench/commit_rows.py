"""What the rows of the `commit` table do: write the same 700 KiB again and again, each time durably."""

import os
from pathlib import Path

import numpy as np

ROWS_PER_SEGMENT = 86
"""3 s images of 130 x 16 MFCCs, float32: 699 KiB, a song of some four minutes."""


def _values():
    return np.random.default_rng(1).standard_normal((ROWS_PER_SEGMENT, 130, 16)).astype(np.float32)


def store(folder, first, count):
    """Commit `count` tracks to the store in a folder, numbered from `first`."""
    from pipeline.features.families import mfcc_segments
    from pipeline.features.spec import FeatureRows
    from storage import FileFeatureStore
    from storage.testing.samples import record

    opened = FileFeatureStore.open(Path(folder))
    spec = mfcc_segments.spec
    rows = FeatureRows(
        values=_values(),
        start_s=np.arange(ROWS_PER_SEGMENT, dtype=np.float32) * 3,
        channel=np.full(ROWS_PER_SEGMENT, -1, np.int8),
    )

    # What a process does once, it has done before.
    opened.commit(record(f"/warm-{first}", 10**6 + first), {spec.key: rows}, {spec.key: spec})

    def work():
        for number in range(first, first + count):
            if not opened.commit(record(f"/{number}", number), {spec.key: rows}, {spec.key: spec}):
                raise AssertionError("it was there already; nothing was measured")

    return work


def saves(folder, first, count):
    """Save `count` arrays: np.save, fsync, rename."""
    return _saving(Path(folder), range(first, first + count), folder_too=False)


def synced_saves(folder, first, count):
    """Save `count` arrays: np.save, fsync, rename, fsync of the folder, without which a power cut takes the name."""
    return _saving(Path(folder), range(first, first + count), folder_too=True)


def _saving(folder, numbers, *, folder_too):
    folder.mkdir(exist_ok=True)
    values = _values()

    def work():
        for number in numbers:
            written = folder / f"{number}.tmp"
            with written.open("xb") as file:
                np.save(file, values)
                file.flush()
                os.fsync(file.fileno())
            written.rename(folder / f"{number}.npy")
            if folder_too:
                descriptor = os.open(folder, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)

    return work
