"""The checks of a host: the user, and what the system lets its processes have."""

import os
import pwd
import tempfile
from pathlib import Path

from pipeline.errors import ChordalError
from pipeline.text import printable
from workers.cli.setup.findings import Finding

INOTIFY = Path("/proc/sys/fs/inotify")
LEAST_WATCHES = 8192
"""Folders that a user can watch on Linux by default; a library has about one for each album."""


def user(home_path: str, _broker: str | None) -> Finding:
    """Say who this user is, and where libraries find its home folder."""
    from workers.processes.environment import user_folder

    number = os.geteuid()
    try:
        name = f"{printable(pwd.getpwuid(number).pw_name)} ({number})"
    except KeyError:
        name = f"{number}, who has no name here"
    given = os.environ.get("HOME", "")
    own = given == str(user_folder(Path(home_path).absolute()))
    where = f"no home folder that can be written; libraries use {printable(given)}" if own else "with a home folder"
    return Finding(check="user", fine=True, found=f"{name}, {where}")


def temporary_files(home_path: str, _broker: str | None) -> Finding:
    """Make a temporary file."""
    from workers.processes.environment import user_folder

    check = "temporary files"
    given = os.environ.get("TMPDIR", "")
    if given == str(user_folder(Path(home_path).absolute()) / "tmp"):
        return Finding(
            check=check, fine=True, found=f"no folder of the system's can be written; {printable(given)} is used"
        )
    try:
        folder = tempfile.gettempdir()
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        found = f"none can be made ({error.strerror or error})"
        return Finding(check=check, fine=False, found=found, mend="name a folder that can be written with TMPDIR")
    return Finding(check=check, fine=True, found=printable(folder))


def shared_memory(_home_path: str, _broker: str | None) -> Finding:
    """Make a lock that processes share, as a worker's pool does."""
    from workers.processes import host_limits

    try:
        host_limits.require_shared_memory()
    except ChordalError as error:
        return Finding.of_error("shared memory", error)
    return Finding(check="shared memory", fine=True, found="processes can share a lock")


def open_files(_home_path: str, _broker: str | None) -> Finding:
    """Compare the limit of open files with what workers on all cores need."""
    from workers.processes import host_limits

    workers = os.cpu_count() or 1
    try:
        host_limits.require_files(workers)
    except ChordalError as error:
        return Finding.of_error("open files", error)
    allowed, needed = host_limits.file_limits()[0], host_limits.files_needed(workers)
    return Finding(check="open files", fine=True, found=f"{allowed} allowed, {workers} workers need {needed}")


def watched_folders(_home_path: str, _broker: str | None) -> Finding | None:
    """Read how many folders this user can watch; None where the system has no such limit."""
    try:
        watches = int((INOTIFY / "max_user_watches").read_text("ascii"))
    except (OSError, ValueError):
        return None
    return Finding(
        check="watched folders",
        fine=watches >= LEAST_WATCHES,
        found=f"{watches} at most",
        mend="`chordal watch` needs one for each folder: sysctl fs.inotify.max_user_watches=524288",
    )
