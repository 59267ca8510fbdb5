"""Libraries of imported arrays, which have rows and no files: their address, labels and split notes."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.plans.library import PointsPlan
from pipeline.plans.run import RunPlan

PREFIX = "npz:"
"""Begins the name of an imported library, and the paths of its tracks; no file of a real library is named so."""


LABELS = "Ydata"
"""The name of a run's labels when they are those of an imported file."""


SPLIT_NOTE = (
    "the rows were imported and nobody knows which are of one song: rows of a song may lie on several sides, "
    "and the scores are better than they would be for new songs"
)


def split_notes(plan: RunPlan) -> tuple[str, ...]:
    """Return the warnings of a split of a run's tracks; none for points, which belong to no song."""
    return (SPLIT_NOTE,) if is_imported(plan.libraries) and not isinstance(plan.recipe.library, PointsPlan) else ()


def is_imported(libraries: Sequence[str]) -> bool:
    """Return whether a run's libraries are imported files. Raises `UsageError` when only some of them are."""
    flags = [library.startswith(PREFIX) for library in libraries]
    if any(flags) and not all(flags):
        raise UsageError("libraries: imported files and folders cannot be learned from together; name one kind")
    return any(flags)


def library_of(path: str) -> str:
    """Return the library name of an absolute path: an NPZ file gets its imported name, all else is unchanged."""
    return PREFIX + path if path.endswith(".npz") and Path(path).is_file() else path


def check_options(
    *, labels: str | None, groups: str | None, folds: str | None, vocabulary: str | None, extract: bool
) -> None:
    """Raise `UsageError` for options that an imported library cannot have."""
    if extract:
        raise UsageError("an NPZ file has no audio to extract: bring it in with `chordal store import-npz`, then train")
    for name, value in (("labels", labels), ("groups", groups), ("folds", folds)):
        if value not in {None, LABELS}:
            raise UsageError(
                f"--{name}: imported rows have the labels of their file and no groups or folds; leave it out"
            )
    if vocabulary not in {None, "none"}:
        raise UsageError("--vocabulary: imported rows have the labels of their file; fold them before the import")
