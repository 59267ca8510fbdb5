"""Files and folders that are there whole or not at all, also after a power cut.

The order is always the same: write under a temporary name, flush the file to the disk, give it its name in one step,
flush the folder that holds the name. Only then may anybody rely on it.
"""

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.text import printable

_MENDS = {
    errno.ENOSPC: "; free some space and run again",
    errno.EDQUOT: "; free some of your quota and run again",
    errno.EROFS: "; the file system is read-only",
    errno.EACCES: "; check who owns the folder",
    errno.EPERM: "; check who owns the folder",
    errno.EMFILE: "; raise the limit of open files (ulimit -n)",
}


@contextmanager
def store_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn the operating system's errors into `StoreError`s that name the path, the reason and the mend."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{printable(str(path))}: cannot {doing} ({reason(error)})") from error


def reason(error: OSError) -> str:
    """Return an operating system's error in words, on one line, with the mend where one is known."""
    if not error.errno:
        return " ".join(str(error).split())
    # Not `error.strerror`: HDF5 puts a page about its buffers there.
    return os.strerror(error.errno) + _MENDS.get(error.errno, "")


def sync(descriptor: int) -> None:
    """Flush an open file to the disk itself; macOS needs more than fsync for that."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_path(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Folders take plain fsync everywhere; F_FULLFSYNC on them fails on some network file systems.
        if path.is_dir():
            os.fsync(descriptor)
        else:
            sync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder with its parents, durably; fine when it is there."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_path(path.parent)


def temporary(folder: Path, suffix: str = "") -> Path:
    """Return a path in `folder` that nobody else has."""
    return folder / f"{uuid.uuid4().hex}{suffix}"


def write_whole(path: Path, *pieces: bytes | memoryview) -> None:
    """Write a new file, its bytes in pieces, and flush it; leaves nothing behind when that fails."""
    try:
        with path.open("xb") as file:
            file.writelines(pieces)
            file.flush()
            sync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def publish(written: Path, target: Path) -> bool:
    """Give a written file its final name unless the name is taken; False when it was.

    The temporary name is gone afterwards either way. A hard link is the one step that fails when the name exists, on
    network file systems too; there a link can succeed and still report an error when the reply got lost, which the
    link count tells.
    """
    try:
        target.hardlink_to(written)
        won = True
    except FileExistsError:
        won = written.stat().st_nlink == 2 and target.samefile(written)
    finally:
        written.unlink(missing_ok=True)
    sync_path(target.parent)
    return won


def unlink_older(folder: Path, *, than_s: float, now_s: float) -> int:
    """Remove the files directly in a folder that were last written more than `than_s` seconds ago; return how many."""
    removed = 0
    for name in names_in(folder):
        path = folder / name
        try:
            if now_s - path.stat().st_mtime > than_s:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # its writer, or another collection, was faster
    return removed


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder; none when there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []


def clock_s(folder: Path) -> float:
    """Return the time now by the clock that stamps the files of a folder; another host's may differ from ours."""
    probe = temporary(folder)
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
