"""A home made of samples: a store with a few tracks, and the run that tells their labels."""

from pathlib import Path

from pipeline.recipe import load_recipe
from pipeline.runs import RunPlan
from pipeline.tracks import ScannedTrack
from storage import FileFeatureStore, RunLedger
from storage.testing.samples import SPECS, features, record


def scan(home: Path, labels: dict[str, tuple[str | None, str | None]], *, number: int = 1, library: str = "/music"):
    """Write a finished run that found some paths, each with its label and group."""
    ledger = RunLedger(home)
    plan = RunPlan(
        run_id=f"run-{number}",
        command=("chordal", "extract", library),
        libraries=(library,),
        recipe=load_recipe("quick"),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=number,
        created=f"2026-01-0{number}T00:00:00+00:00",
    )
    ledger.create(plan)
    tracks = []
    for path, (label, group) in labels.items():
        told = record(path, 0)
        tracks.append(ScannedTrack(track_id=told.track_id, path=path, stamp=told.stamp, label=label, group=group))
    ledger.write_shard(plan.run_id, 0, tracks)
    ledger.close_scan(plan.run_id, 1)


def commit(home: Path, numbers, *, rows: int = 5) -> FileFeatureStore:
    """Commit the tracks `/music/00.wav`, ..., each with `rows` rows of both families."""
    store = FileFeatureStore.open(home / "store")
    for number in numbers:
        store.commit(record(f"/music/{number:02d}.wav", number), features(number, n=rows), SPECS)
    return store


def small_home(home: Path, *, tracks: int = 6, rows: int = 5) -> FileFeatureStore:
    """Make a home of tracks labelled `even` and `odd`, two in a group, half of them compacted."""
    store = commit(home, range(tracks // 2), rows=rows)
    store.compact()
    commit(home, range(tracks // 2, tracks), rows=rows)
    words = {f"/music/{n:02d}.wav": ("odd" if n % 2 else "even", f"artist {n // 2}") for n in range(tracks)}
    scan(home, words)
    return store
