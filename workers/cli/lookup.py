"""The home and the run that a command's options name."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.text import printable

if TYPE_CHECKING:
    from pipeline.plans.run import Purpose
    from storage.home import Home


def existing_home(home_path: str) -> "Home":
    """Return the home in a folder.

    Raises `UsageError` when there is none: a command that only reads must not make one.
    """
    from workers.processes.startup import prepare_short_command

    prepare_short_command()  # before NumPy is imported
    from storage.home import Home

    path = Path(home_path).expanduser().absolute()
    if not any((path / name).is_dir() for name in ("runs", "store")):
        raise UsageError(
            f"home {printable(str(path))}: nothing here yet; `chordal run LIBRARY` makes it, --home names another"
        )
    return Home(path)


def pick_run(home: "Home", run_id: str | None, purpose: "Purpose | None" = None) -> str:
    """Return the id of a run, by default that of the last one, or of the last one for a purpose.

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
