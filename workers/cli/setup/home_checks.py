"""The checks of a home: what the work does there is tried there, and nothing is left behind."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import ChordalError
from pipeline.text import printable
from workers.cli.setup.findings import Finding

FREE_BYTES = 2 * 1024**3


def home(home_path: str, _broker: str | None) -> Finding:
    """Write, flush, lock, rename and link a file in the home, which may not exist yet."""
    from storage.home import LOCK, home_errors, probe_home

    path = Path(home_path).absolute()
    try:
        with home_errors(path, "cannot be written"), made_folder(path):
            probe_home(path, path)
            free = shutil.disk_usage(path).free
            if (path / LOCK).exists():
                (path / LOCK).open("r+b").close()
    except ChordalError as error:
        return Finding.of_error("home", error)
    shown = printable(str(path))
    if barred := _barred(path):
        found = f"{shown}: {', '.join(barred)} cannot be written by this user"
        return Finding(check="home", fine=False, found=found, mend="have all of it belong to one user (chown -R)")
    return Finding(
        check="home",
        fine=free >= FREE_BYTES,
        found=f"{shown} can be written, locked and linked in, {free / 1024**3:.1f} GiB free",
        mend="free some space or name another folder with --home",
    )


def kernels(home_path: str, _broker: str | None) -> Finding:
    """Load the compiled kernels as this user's workers will, without compiling any."""
    from pipeline.features.warm import kernel_folders
    from pipeline.kernels import cache, compilation
    from workers.processes.environment import user_folder

    path = Path(home_path).absolute()
    cache.keep_below(path, user_folder(path))
    folders = kernel_folders()
    if folders is not None:
        places = ", ".join(printable(str(folder)) for folder in folders) or "this process"
        return Finding(check="kernels", fine=True, found=f"loaded from {places}")
    folder = compilation.keeping_folder()
    if folder is None:
        return Finding(
            check="kernels",
            fine=False,
            found="compiled at each start of a worker: there is no folder where they can be kept",
            mend="make the home one that this user can write to, or name a folder with NUMBA_CACHE_DIR",
        )
    found = (
        f"not all compiled for this installation yet: the first worker does that, once, into {printable(str(folder))}"
    )
    return Finding(check="kernels", fine=True, found=found)


@contextmanager
def made_folder(path: Path) -> Iterator[Path]:
    """Make a folder where it is missing, with those above it; afterwards those that were made are gone again."""
    made = [each for each in (path, *path.parents) if not each.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield path
    finally:
        for each in made:
            with suppress(OSError):  # not made, or used by somebody else by now
                each.rmdir()


def _barred(path: Path) -> list[str]:
    """Return the names of the folders of a home that this user cannot write to; those of libraries are each user's."""
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("cache-")]
    return sorted(printable(name) for name in names if not os.access(path / name, os.W_OK | os.X_OK))
