"""Writing files and folders so that they are there whole or not at all, also after a power cut.

The order is always the same: write under a temporary name, flush the file to the disk, give it its final name in one
step, flush the folder. Only then is it durable.
"""

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import ChordalError, StoreError
from pipeline.text import printable

_MENDS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EROFS: "mount its file system for writing",
    errno.EACCES: "check who owns the folder",
    errno.EPERM: "check who owns the folder",
    errno.ENOENT: "check the path, and whether its file system is mounted",
    errno.ENOTDIR: "give a path through folders: a part of this one is a file",
    errno.EEXIST: "move the file of that name away",
    errno.EISDIR: "give a name that no folder has",
    errno.ELOOP: "mend the link in the path that leads back to itself",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.EILSEQ: "give a name that its file system takes",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close some of the files that are open on this host",
    errno.EIO: "its disk or the way to it fails: see the system's log",
    errno.ENOTCONN: "mount its file system again",
    errno.ESTALE: "mount its file system again",
    errno.ENODEV: "mount its file system again",
    errno.ENXIO: "mount its file system again",
    errno.ETIMEDOUT: "check that its file server answers",
    errno.EHOSTDOWN: "check that its file server answers",
    errno.EHOSTUNREACH: "check that its file server answers",
}

NOT_SUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY}
"""What a file system answers that cannot do what it was asked for: locks, hard links."""


@contextmanager
def store_errors(path: Path, action: str) -> Iterator[None]:
    """Turn `OSError` into `StoreError` naming the path, the reason and the mend; `action` follows "cannot"."""
    try:
        yield
    except ChordalError:
        raise  # some are an `OSError` too, and say more
    except OSError as error:
        raise StoreError(f"{printable(str(path))}: cannot {action} ({reason(error)})") from error


def reason(error: OSError) -> str:
    """Return the reason of an `OSError` for people, on one line, with the mend where there is one."""
    what, mend = reason_and_mend(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        mend += " and run again"
    return f"{what}; {mend}" if mend else what


def reason_and_mend(error: OSError) -> tuple[str, str]:
    """Return the reason of an `OSError` for people, on one line, and what mends it, empty where that is not known."""
    if not error.errno:
        return " ".join(str(error).split()), ""
    # Not `error.strerror`, where HDF5 puts a page about its buffers.
    return os.strerror(error.errno), _MENDS.get(error.errno, "")


def link_reason(error: OSError) -> str:
    """Return the reason why a hard link could not be made, for people, on one line, with the mend."""
    # EPERM is what Linux answers for a file system without links, EXDEV one that is put together from several.
    if error.errno in {*NOT_SUPPORTED, errno.EPERM, errno.EMLINK, errno.EXDEV}:
        what = os.strerror(error.errno) if error.errno else str(error)
        return f"its file system makes no hard links: {what}; give a folder on one that does, not exFAT or SMB"
    return f"no hard link can be made: {reason(error)}"


def sync(descriptor: int) -> None:
    """Flush an open file to the disk; macOS needs more than fsync for that."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_path(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
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
    """Create a folder with its parents, durably; does nothing when it exists."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_path(path.parent)


def temporary_path(folder: Path, suffix: str = "") -> Path:
    """Return a unique path in a folder, where no file is made yet."""
    return folder / f"{uuid.uuid4().hex}{suffix}"


def write_whole(path: Path, *pieces: bytes | memoryview) -> None:
    """Write a new file from consecutive pieces and flush it; removes it when that fails. Raises `OSError`."""
    try:
        with path.open("xb") as file:
            file.writelines(pieces)
            file.flush()
            sync(file.fileno())
    except OSError:
        with suppress(OSError):  # the first error says more
            path.unlink(missing_ok=True)
        raise


def publish(temporary: Path, target: Path) -> bool:
    """Give a file its final name unless that exists; False when it did. The temporary name is removed either way.

    A hard link is the one operation that fails when the name exists, on network file systems too. There a link may be
    made and still report an error when the reply got lost; the link count shows that. Raises `StoreError` when none can
    be made.
    """
    try:
        target.hardlink_to(temporary)
        published = True
    except FileExistsError:
        published = temporary.stat().st_nlink == 2 and target.samefile(temporary)
    except OSError as error:
        raise StoreError(f"{printable(str(target))}: cannot be written ({link_reason(error)})") from error
    finally:
        temporary.unlink(missing_ok=True)
    sync_path(target.parent)
    return published


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
            continue  # removed meanwhile by its writer or by another collection
    return removed


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder; none when it does not exist. Raises `OSError`."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []


def clock_s(folder: Path) -> float:
    """Return the time now by the clock that stamps the files of a folder, Unix seconds; it may be another host's."""
    probe = temporary_path(folder)
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
