"""The home, the run and the file that a command's options name."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import StoreError, UsageError
from pipeline.text import printable

if TYPE_CHECKING:
    from pipeline.plans.run import Purpose
    from storage.home import Home
    from workers.runs.figures import Figures

SIGNS = ("runs", "store", "service.json", "schedule.json")
"""What a home has, one or the other, as soon as anything was done in it."""


def existing_home(home_path: str, *, for_reading: bool = False) -> "Home":
    """Return the home in a folder; one that is `for_reading` may be a read-only one, and is not changed.

    Raises `UsageError` when there is none: a command that only reads must not make one.
    """
    from workers.processes.startup import prepare_short_command

    prepare_short_command()  # before NumPy is imported
    from storage import durable
    from storage.home import Home

    try:
        path = Path(home_path).expanduser().absolute()
    except (RuntimeError, OSError) as error:  # a user without a folder, and a current folder that is gone
        raise UsageError(f"home {printable(home_path)}: cannot be found ({error}); write its whole path") from error
    try:
        is_home = any(_exists(path / name) for name in SIGNS)
    except OSError as error:
        raise UsageError(f"home {printable(str(path))}: cannot be read ({durable.reason(error)})") from error
    if not is_home:
        raise UsageError(f"home {printable(str(path))}: {_absence(path)}")
    return Home(path, for_reading=for_reading)


def _absence(path: Path) -> str:
    """Return what there is in the place of a home, and the mend."""
    if path.is_symlink() and not path.exists():
        shown = printable(str(path.readlink()))
        return f"a link to {shown}, where nothing is; check whether that is mounted, or name another with --home"
    if path.exists() and not path.is_dir():
        return "is no folder; name another with --home"
    return "nothing here yet; `chordal run LIBRARY` makes it, --home names another"


def output_path(given: str, option: str = "--out") -> Path:
    """Return the path of a file to write.

    Raises `UsageError` for one that cannot be looked at, and for a device or a pipe, which a file must not replace.
    """
    from storage import durable

    try:
        path = Path(given).expanduser().absolute()
        is_special = _exists(path) and not (path.is_file() or path.is_dir())
    except (RuntimeError, OSError) as error:
        reason = durable.reason(error) if isinstance(error, OSError) else str(error)
        raise UsageError(f"{option} {printable(given)}: cannot be written ({reason})") from error
    if is_special:
        raise UsageError(f"{option} {printable(given)}: is no ordinary file, which one could replace; name another")
    return path


def _exists(path: Path) -> bool:
    """Return whether there is a file or folder. Raises `OSError` when that cannot be known."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


class NoRunError(UsageError):
    """There is no run in the home yet."""


def pick_run(
    home: "Home", run_id: str | None, purpose: "Purpose | None" = None, *, figures: "Figures | None" = None
) -> str:
    """Return the id of a run, by default that of the last one, or of the last one for a purpose.

    Runs whose plan cannot be read are left out, and named in `figures`. Raises `NoRunError` or `UsageError` when
    there is no such run, `StoreError` when it is one of those.
    """
    plans, unreadable = home.ledger.plans()
    runs = [plan.run_id for plan in plans if run_id is not None or purpose in {None, plan.purpose}]
    if unreadable and (run_id in unreadable or not runs):
        raise StoreError(unreadable.get(run_id or "") or next(iter(unreadable.values())))
    if figures is not None and unreadable:
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        figures.fail("runs", next(iter(unreadable.values())) + more)
    if not runs:
        raise NoRunError(f"home {printable(str(home.path))}: no run yet; start one with `chordal run LIBRARY`")
    if run_id is None:
        return runs[-1]
    if run_id not in runs:
        raise UsageError(f"run {run_id}: not in this home; the newest are {', '.join(runs[-3:])}")
    return run_id
