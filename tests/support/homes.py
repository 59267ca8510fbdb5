"""Homes made of samples: a store with a few tracks, and a scanned run with their labels."""

from pathlib import Path

import numpy as np

from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.recipe import Recipe, load_recipe
from pipeline.plans.run import RunPlan
from storage import FileFeatureStore, RunLedger
from storage.testing.samples import SPECS, features, record


def run_plan(run_id: str, **given) -> RunPlan:
    """Return the plan of a run of the quick recipe, with what is given in place of the usual."""
    usual = {
        "command": ("chordal",),
        "libraries": ("/music",),
        "labels": "folder",
        "groups": None,
        "folds": None,
        "seed": 1,
        "sequence": 1,
        "created": "2026-01-01T00:00:00+00:00",
    }
    recipe = given.pop("recipe", None) or load_recipe("quick")
    return RunPlan(run_id=run_id, recipe=recipe, **{**usual, **given})


def scan(home: Path, labels: dict[str, tuple[str | None, str | None]], *, number: int = 1, library: str = "/music"):
    """Write a finished run that found some paths, each with its label and group."""
    ledger = RunLedger(home)
    plan = run_plan(
        f"run-{number}",
        command=("chordal", "extract", library),
        libraries=(library,),
        sequence=number,
        created=f"2026-01-0{number}T00:00:00+00:00",
    )
    ledger.create(plan)
    tracks = []
    for path, (label, group) in labels.items():
        sample = record(path, 0)
        tracks.append(ScannedTrack(track_id=sample.track_id, path=path, stamp=sample.stamp, label=label, group=group))
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


def study_home(
    home: Path, recipe: Recipe, *, run_id: str = "r1", tracks: int = 24, classes: int = 3, seed: int = 1
) -> RunPlan:
    """Make a home whose store has rows of a recipe's families for labelled tracks, and a scanned run to learn from.

    Each class is high in a column of its own, so models learn it at once.
    """
    store = FileFeatureStore.open(home / "store")
    specs = {family(name).spec.key: family(name).spec for name in recipe.families}
    labels: dict[str, tuple[str | None, str | None]] = {}
    for number in range(tracks):
        random = np.random.default_rng([seed, number])
        rows = {}
        for key, spec in specs.items():
            values = random.normal(size=(2, *spec.row_shape)).astype(np.float32)
            values[..., number % classes] += 3
            rows[key] = FeatureRows(
                values=values, start_s=np.arange(2, dtype=np.float32), channel=np.full(2, -1, np.int8)
            )
        path = f"/music/{number:02d}.wav"
        store.commit(record(path, number), rows, specs)
        labels[path] = (f"class {number % classes}", None)
    store.compact()
    ledger = RunLedger(home)
    plan = run_plan(run_id, command=("chordal", "train"), recipe=recipe, seed=seed, extract=False)
    ledger.create(plan)
    scanned = []
    for path, (label, group) in labels.items():
        sample = record(path, 0)
        scanned.append(ScannedTrack(track_id=sample.track_id, path=path, stamp=sample.stamp, label=label, group=group))
    ledger.write_shard(run_id, 0, scanned)
    ledger.close_scan(run_id, 1)
    return plan
