"""The home and the run that a command's options name."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.text import printable

if TYPE_CHECKING:
    from pipeline.plans.run import Purpose
    from storage.home import Home


def opened(home: str) -> "Home":
    """Return the doors of an existing home.

    Raises `UsageError` when there is none: asking must not create one.
    """
    from storage.home import Home

    path = Path(home).expanduser().absolute()
    if not any((path / name).is_dir() for name in ("runs", "store")):
        raise UsageError(
            f"home {printable(str(path))}: nothing here yet; `chordal run LIBRARY` makes it, --home names another"
        )
    return Home(path)


def pick_run(home: "Home", run_id: str | None, purpose: "Purpose | None" = None) -> str:
    """Return the run asked for, or the last one, or the last one for a purpose.

    Raises `UsageError` when there is no such run.
    """
    runs = home.ledger.run_ids(None if run_id is not None else purpose)
    if not runs:
        raise UsageError(f"home {printable(str(home.path))}: no run yet; start one with `chordal run LIBRARY`")
    if run_id is None:
        return runs[-1]
    if run_id not in runs:
        raise UsageError(f"run {run_id}: not in this home; the newest are {', '.join(runs[-3:])}")
    return run_id
