"""What the rows of the `store` tables do: make a store of many small tracks and segments, and read them in many ways.

The references do the same to one HDF5 file with a dataset per column, in which the contents lie in the order of their
numbers, or to plain files.
"""

import os
import zlib
from pathlib import Path

import numpy as np

ROWS_PER_TRACK = 4
ROW_COLUMNS = 8
SHARD = 1_000
"""Tracks in a document of the scan."""

SAMPLE = 1_000
"""Contents that are asked for, drawn at random."""


def spec():
    """Return the spec of a made-up family of small rows."""
    from storage.testing.samples import spec

    return spec("small", row_shape=(ROW_COLUMNS,))


def _rows(number):
    from pipeline.features.spec import FeatureRows

    values = np.random.default_rng(number).standard_normal((ROWS_PER_TRACK, ROW_COLUMNS), dtype=np.float32)
    return FeatureRows(
        values=values,
        start_s=np.arange(ROWS_PER_TRACK, dtype=np.float32),
        channel=np.full(ROWS_PER_TRACK, -1, np.int8),
    )


def build(folder, tracks):
    """Make a store of `tracks` tracks by the writer that compaction has, and a reference of the same numbers."""
    folder = Path(folder)

    def work():
        from storage import FileFeatureStore
        from storage.filestore.format.records import RecordTable
        from storage.filestore.layout import Layout, Manifest
        from storage.filestore.maintenance.compaction import PART_ENTRIES
        from storage.filestore.parts import PartsWriter
        from storage.testing.samples import record

        layout = Layout(FileFeatureStore.open(folder / "store").path)
        layout.publish_specs([spec()])
        writer = PartsWriter(layout, part_entries=PART_ENTRIES)
        columns, values = [], []
        for first in range(0, tracks, PART_ENTRIES):
            numbers = range(first, min(first + PART_ENTRIES, tracks))
            records = [record(f"/music/artist {number // 12}/{number}.flac", number, sequence=2) for number in numbers]
            writer.add_records(RecordTable.concatenate([RecordTable.of(each) for each in records]))
            rows = [_rows(number) for number in numbers]
            for each, told in zip(records, rows, strict=True):
                writer.add_rows(spec(), each.content_hash, told)
            columns.append(np.concatenate([RecordTable.of(each).rows for each in records]))
            values += [each.values for each in rows]
        layout.publish_manifest(1, Manifest(parts=tuple(writer.finish())))
        _write_scan(folder, tracks)
        _write_reference(folder, np.concatenate(columns), np.concatenate(values))

    return work


def _write_scan(folder, tracks):
    """Write the run that tells the tracks' labels, ten of them, and an artist for every twelve tracks."""
    from pipeline.library.tracks import ScannedTrack
    from pipeline.plans.recipe import load_recipe
    from pipeline.plans.run import RunPlan
    from storage import RunLedger
    from storage.testing.samples import record

    ledger = RunLedger(folder)
    plan = RunPlan(
        run_id="bench",
        command=("chordal", "extract", "/music"),
        libraries=("/music",),
        recipe=load_recipe("quick"),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=2,
        created="2026-01-01T00:00:00+00:00",
    )
    ledger.create(plan)
    shards = range(0, tracks, SHARD)
    for shard, first in enumerate(shards):
        told = [
            (number, record(f"/music/artist {number // 12}/{number}.flac", number))
            for number in range(first, min(first + SHARD, tracks))
        ]
        ledger.write_shard(
            plan.run_id,
            shard,
            [
                ScannedTrack(
                    track_id=each.track_id,
                    path=each.path,
                    stamp=each.stamp,
                    label=f"genre {number % 10}",
                    group=f"artist {number // 12}",
                )
                for number, each in told
            ],
        )
    ledger.close_scan(plan.run_id, len(shards))


def _write_reference(folder, columns, values):
    import h5py

    with h5py.File(folder / "reference.h5", "w", libver="latest") as file:
        for name in columns.dtype.names:
            file.create_dataset(name, data=columns[name], chunks=(min(4096, len(columns)),))
        file.create_dataset("values", data=values, chunks=(8192, ROW_COLUMNS) if len(values) > 8192 else None)
    np.save(folder / "columns.npy", columns)


def _store(folder):
    from storage import FileFeatureStore

    return FileFeatureStore.open(Path(folder) / "store")


def _sample(tracks):
    return np.random.default_rng(5).choice(tracks, min(SAMPLE, tracks), replace=False).tolist()


def opening(folder, tracks):
    """Open the store and count its tracks, as a new process would."""

    def work():
        _expect(len(_store(folder).snapshot()), tracks)

    return work


def opening_reference(folder, tracks):
    """Read the columns that say which record counts, and sort them by track, which an index comes down to."""

    def work():
        import h5py

        with h5py.File(Path(folder) / "reference.h5") as file:
            held = [file[name][:] for name in ("track_id", "content_hash", "sequence", "state")]
        _expect(len(np.argsort(held[0])), tracks)

    return work


def columns(folder, tracks):
    """Read what all records have of fixed width, from an open snapshot."""
    snapshot = _store(folder).snapshot()
    return lambda: _expect(len(snapshot.columns()), tracks)


def labels(folder, tracks):
    """Read the labels of all tracks, as a new process would when another has read them before."""
    from storage.features.reader import open_features

    home = Path(folder)
    _expect(len(open_features(home).labels), tracks)
    features = open_features(home)
    return lambda: _expect(len(features.labels.column("label")), tracks)


def columns_reference(folder, tracks):
    """Read the same from one HDF5 file, a dataset per column."""

    def work():
        import h5py

        with h5py.File(Path(folder) / "reference.h5") as file:
            held = [file[name][:] for name in file if name != "values"]
        _expect(len(held[0]), tracks)

    return work


def columns_npy(folder, tracks):
    """Read the same by np.load."""
    return lambda: _expect(len(np.load(Path(folder) / "columns.npy")), tracks)


def listing(folder, tracks):
    """Go through all records as values, from an open snapshot."""
    snapshot = _store(folder).snapshot()
    return lambda: _expect(sum(1 for _ in snapshot.records()), tracks)


def sampling(folder, tracks):
    """Read the rows of some contents, from an open snapshot."""
    from storage.testing.samples import content

    snapshot = _store(folder).snapshot()
    wanted = [content(number) for number in _sample(tracks)]
    return lambda: _expect(len(snapshot.rows(spec().key, wanted)), len(wanted))


def sampling_reference(folder, tracks):
    """Read the same rows from one HDF5 file where it is known where they are, in the order of the file."""
    import h5py

    wanted = sorted(_sample(tracks))

    def work():
        with h5py.File(Path(folder) / "reference.h5") as file:
            values = file["values"]
            found = [values[ROWS_PER_TRACK * number : ROWS_PER_TRACK * (number + 1)] for number in wanted]
        _expect(len(found), len(wanted))

    return work


def knowing(folder, tracks):
    """Ask which families are stored of some contents, from an open store: what every extraction asks."""
    from storage.testing.samples import content

    store = _store(folder)
    store.families_of(content(0))
    wanted = [content(number) for number in _sample(tracks)]
    return lambda: _expect(sum(len(store.families_of(each)) for each in wanted), len(wanted))


def verifying(folder, tracks):
    """Check every byte of the store."""
    store = _store(folder)
    return lambda: _expect(store.verify().damages, ())


def verifying_reference(folder, tracks):
    """Read every file of the store and take its CRC-32."""

    def work():
        files = [path for path in (Path(folder) / "store").rglob("*") if path.is_file()]
        _expect(len([zlib.crc32(path.read_bytes()) for path in files]), len(files))

    return work


def compacting(folder, segments):
    """Compact segments of 700 KiB; preparing it commits them."""
    from storage import FileFeatureStore

    _commit(folder, segments)
    store = FileFeatureStore.open(Path(folder))
    return lambda: _expect(store.compact().segments, segments)


def compacting_reference(folder, segments):
    """Read the segments, append them to one file, flush it and unlink them."""
    _commit(folder, segments)

    def work():
        files = [path for path in (Path(folder) / "inbox").rglob("*.h5") if path.is_file()]
        with (Path(folder) / "tmp" / "appended").open("xb") as appended:
            for path in files:
                appended.write(path.read_bytes())
            appended.flush()
            os.fsync(appended.fileno())
        for path in files:
            path.unlink()
        _expect(len(files), segments)

    return work


def _commit(folder, segments):
    from tests.bench import commit_rows

    commit_rows.store(folder, 0, segments - 1)()
    # What is still on its way to the disk would be waited for by what is measured.
    os.sync()


def _expect(told, expected):
    if told != expected:
        raise AssertionError(f"{told} instead of {expected}; nothing was measured")
