"""Libraries that were imported from a file: brought in once, and learned from like scanned ones.

The first run of such a library is the import itself: its shards tell the tracks and their labels. Every later run has
a copy of them, as no folder can be walked for it.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.libraries.plans import PointsPlan
from pipeline.recipe import Recipe
from pipeline.runs import RunPlan
from pipeline.tracks import ScannedTrack, printable
from storage import RunLedger
from storage.importing import PREFIX, import_rows, read_npz
from workers.context import Doors

LABELS = "Ydata"
"""What a run's labels are called when they are those of an imported file."""

SPLIT_NOTE = (
    "the rows were imported and nobody knows which are of one song: rows of a song may lie on several sides, "
    "and the scores are better than they would be for new songs"
)

_SHARD_ROWS = 500


def split_notes(plan: RunPlan) -> tuple[str, ...]:
    """Return what is to be said of a split of a run's tracks; nothing of points, which belong to no song."""
    return (SPLIT_NOTE,) if is_imported(plan.libraries) and not isinstance(plan.recipe.library, PointsPlan) else ()


def is_imported(libraries: Sequence[str]) -> bool:
    """Return whether a run's libraries are imported files. Raises `UsageError` when only some of them are."""
    found = [library.startswith(PREFIX) for library in libraries]
    if any(found) and not all(found):
        raise UsageError("libraries: imported files and folders cannot be learned from together; name one kind")
    return any(found)


def library_of(path: str) -> str:
    """Return what an absolute path is called as a library: an NPZ file by its imported name, all else as it is."""
    return PREFIX + path if path.endswith(".npz") and Path(path).is_file() else path


def check_options(*, labels: str | None, groups: str | None, folds: str | None, extract: bool) -> None:
    """Refuse what was asked of an imported library and cannot be. Raises `UsageError`."""
    if extract:
        raise UsageError("an NPZ file has no audio to extract: bring it in with `chordal store import-npz`, then train")
    for name, given in (("labels", labels), ("groups", groups), ("folds", folds)):
        if given not in {None, LABELS}:
            raise UsageError(
                f"--{name}: imported rows have the labels of their file and no groups or folds; leave it out"
            )


def write_shards(ledger: RunLedger, plan: RunPlan, *, shard_files: int) -> Iterator[Sequence[ScannedTrack]]:
    """Write the tracks of imported libraries as shards of a run, and yield each. Raises `UsageError` for unknown."""
    shards = 0
    tracks = (track for library in plan.libraries for track in _tracks_of(ledger, library))
    while shard := list(islice(tracks, shard_files)):
        ledger.write_shard(plan.run_id, shards, shard)
        shards += 1
        yield shard
    ledger.close_scan(plan.run_id, shards)


def _tracks_of(ledger: RunLedger, library: str) -> Iterator[ScannedTrack]:
    plans = [ledger.plan(run_id) for run_id in ledger.run_ids()]
    # By their sequence: ids and times do not tell which of two runs within a second is the newer.
    for plan in sorted(plans, key=lambda plan: plan.sequence, reverse=True):
        if plan.libraries == (library,) and ledger.shard_count(plan.run_id) is not None:
            for shard in ledger.shards(plan.run_id):
                yield from ledger.shard(plan.run_id, shard)
            return
    raise UsageError(
        f"{printable(library.removeprefix(PREFIX))}: was not imported into this home; "
        "`chordal store import-npz FILE` does that"
    )


def check_file(path: Path, family_name: str) -> None:
    """Refuse a file that is none, or a family that is none, before a home is made. Raises `UsageError`."""
    family(family_name)
    if not path.is_file():
        raise UsageError(f"{printable(str(path))}: there is no such file; give an NPZ file with Xdata and Ydata")


def import_npz(
    context: Doors, path: Path, family_name: str, recipe: Recipe, command: tuple[str, ...]
) -> dict[str, Any]:
    """Store the rows of an NPZ file and write the run that tells their labels; return a summary.

    The rows are stored first, all or none, and again is a no-op: whatever dies, the same command completes it.
    Raises `UsageError` for a file of another form, `StoreError` when it cannot be stored.
    """
    from workers import running

    spec = family(family_name).spec
    rows = read_npz(path, spec)
    ledger = context.ledger
    new = import_rows(context.home / "store", rows, spec, sequence=ledger.next_sequence())
    wanted = running.Wanted(
        command=command, libraries=(rows.library,), recipe=recipe, labels=LABELS, extract=False, learn=False
    )
    plan = running.plan_run(wanted, ledger)
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
