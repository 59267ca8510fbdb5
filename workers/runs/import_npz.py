"""Importing a library from a file: its rows are stored, and a run of its own tells their labels.

Every later run over such a library has a copy of that run's shards, as there is no folder to walk.
"""

from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.library.imported import LABELS
from pipeline.plans.recipe import Recipe
from pipeline.text import printable
from storage.exchange.import_npz import import_rows, read_npz
from storage.home import Home
from workers.runs.request import RunRequest, plan_run
from workers.runs.scan import write_tracks


def check_file(path: Path, family_name: str) -> None:
    """Refuse a file that is none, or a family that is none, before a home is made. Raises `UsageError`."""
    family(family_name)
    if not path.is_file():
        raise UsageError(f"{printable(str(path))}: there is no such file; give an NPZ file with Xdata and Ydata")


def import_npz(home: Home, path: Path, family_name: str, recipe: Recipe, command: tuple[str, ...]) -> dict[str, Any]:
    """Store the rows of an NPZ file and write the run that tells their labels; return a summary.

    The rows are stored first, all or none, and again is a no-op: whatever dies, the same command completes it.
    Raises `UsageError` for a file of another form, `StoreError` when it cannot be stored.
    """
    spec = family(family_name).spec
    rows = read_npz(path, spec)
    new = import_rows(home.path / "store", rows, spec, sequence=home.ledger.next_sequence())
    request = RunRequest(
        command=command, libraries=(rows.library,), recipe=recipe, labels=LABELS, extract=False, learn=False
    )
    plan = plan_run(request, home.ledger)
    write_tracks(home, plan, rows.scanned(), complete=True)
    return {
        "run_id": plan.run_id,
        "library": printable(rows.library),
        "family": spec.key,
        "rows": len(rows),
        "new": new,
        "not_finite": rows.not_finite,
        "labels": {label: rows.labels.count(label) for label in sorted(set(rows.labels))},
        "groups": None,
    }
