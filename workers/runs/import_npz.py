"""Libraries that were imported from a file: brought in once, and learned from like scanned ones.

The first run of such a library is the import itself: its shards tell the tracks and their labels. Every later run has
a copy of them, as no folder can be walked for it.
"""

from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.library.imported import LABELS
from pipeline.plans.recipe import Recipe
from pipeline.text import printable
from storage.exchange.import_npz import import_rows, read_npz
from storage.home import Home

_SHARD_ROWS = 500


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
    from workers.runs import request

    spec = family(family_name).spec
    rows = read_npz(path, spec)
    ledger = home.ledger
    new = import_rows(home.path / "store", rows, spec, sequence=ledger.next_sequence())
    wanted = request.RunRequest(
        command=command, libraries=(rows.library,), recipe=recipe, labels=LABELS, extract=False, learn=False
    )
    plan = request.plan_run(wanted, ledger)
    tracks = rows.scanned()
    shards = 0
    while shard := list(islice(tracks, _SHARD_ROWS)):
        ledger.write_shard(plan.run_id, shards, shard)
        shards += 1
    ledger.close_scan(plan.run_id, shards)
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
