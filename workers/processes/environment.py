"""The environment of processes: folders for their libraries, quiet, and one thread of numerics each."""

import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.text import printable
from workers.processes.host_limits import raise_file_limit

QUIET = {
    # One numeric thread per process: the pool already has one process per core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # the same sums in the same order on every machine
    "MPLBACKEND": "agg",
    "PYTHONUNBUFFERED": "1",
}

TEMPORARY = ("TMPDIR", "TEMP", "TMP")
"""The variables that name a folder for temporary files, as Python reads them."""


NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""Likewise for the user's name, which Python looks up at the host without one, and fails where it has none."""


def user_folder(home: Path) -> Path:
    """Return the folder below a home of what this user's libraries keep; it may be deleted at any time."""
    return home / f"cache-{os.geteuid()}"


def expand_home(given: str) -> Path:
    """Return the absolute path of a home.

    Raises `UsageError` for a `~` that stands for no folder, and for a path from a current folder that is gone.
    """
    try:
        return Path(given).expanduser().absolute()
    except (RuntimeError, KeyError) as error:
        name = given.partition("/")[0]
        raise UsageError(
            f"home {printable(given)}: there is no folder that {printable(name)} could stand for; write the whole path"
        ) from error
    except OSError as error:
        raise UsageError(
            f"home {printable(given)}: the current folder is gone ({error.strerror}); go to another, or write the "
            "whole path"
        ) from error


def set_user_environment(home: Path) -> None:
    """Where this user has no name, or no home folder or temporary one that can be written, name ones for libraries.

    They keep settings and caches there: without one they fail, or make a folder called `~`. The folders are below
    chordal's home; nothing is made yet.
    """
    folder = user_folder(home)
    if not _can_write(_home_of_user()):
        os.environ["HOME"] = str(folder)
    if _entry() is None and not any(map(os.environ.get, NAMES)):
        os.environ["USER"] = str(os.getuid())
    if not any(_can_write(each) for each in (*map(os.environ.get, TEMPORARY), "/tmp", "/var/tmp", "/usr/tmp")):  # noqa: S108
        os.environ["TMPDIR"] = str(folder / "tmp")


def prepare_process(home: Path) -> None:
    """Prepare this process to work in a home: folders for its libraries, a place for kernels, enough open files."""
    from pipeline.kernels import cache

    set_user_environment(home)
    folder = user_folder(home)
    for name in ("HOME", "TMPDIR"):
        if os.environ.get(name, "").startswith(str(folder)):
            with suppress(OSError):  # a cache is no must
                folder.mkdir(mode=0o700, exist_ok=True)
                Path(os.environ[name]).mkdir(mode=0o700, exist_ok=True)
    cache.keep_below(home, folder)
    raise_file_limit()


def _home_of_user() -> str | None:
    """Return the home folder of this user as Python finds it; None where there is none."""
    if "HOME" in os.environ:
        return os.environ["HOME"]
    entry = _entry()
    return entry.pw_dir if entry is not None else None


def _entry() -> pwd.struct_passwd | None:
    """Return what this host knows of the user; None for one it does not know."""
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        return None


def _can_write(folder: str | None) -> bool:
    return folder is not None and Path(folder).is_absolute() and os.access(folder, os.W_OK | os.X_OK)


def set_tensorflow_environment() -> None:
    """Set for TensorFlow in this process what workers set, unless it is set: quiet, the same sums in one order."""
    for name, value in QUIET.items():
        if name.startswith("TF_"):
            os.environ.setdefault(name, value)


def quiet_tensorflow() -> None:
    """Have TensorFlow compute in this command as in a worker, and print nothing by itself."""
    # Not before it is needed: it imports NumPy, which reads its environment then.
    from pipeline.learning.models.runtime import around_tensorflow

    set_tensorflow_environment()
    around_tensorflow(without_stderr)  # no setting hides that there is no GPU


@contextmanager
def without_stderr() -> Iterator[None]:
    """Hide what libraries write to standard error below Python; Python's own errors are still printed afterwards."""
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
