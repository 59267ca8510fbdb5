"""Homes that can only be read, for a process that a test starts: by a mount, or by rights that even root has not."""

import ctypes
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CAP_DAC_OVERRIDE = 1
PR_CAPBSET_DROP = 24

MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


def mount_words(folder: Path) -> list[str] | None:
    """Return the words before a command that mount a folder for it, for reading only; None where nobody may."""
    options = ["-m"] if os.geteuid() == 0 else ["-rm"]
    words = ["unshare", *options, "sh", "-c", MOUNT, "sh", str(folder)]
    try:
        tried = subprocess.run([*words, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return words if tried.returncode == 0 else None


def without_root_rights() -> Callable[[], Any] | None:
    """Return what a child does before its program starts, so that rights count for it too; None where they do anyway.

    Root writes where it has no right to, but for that it needs a capability, which a program can be started without.
    """
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@contextmanager
def without_write_rights(folder: Path) -> Iterator[None]:
    """Take the right to write from a folder and all that is in it."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def remove_empty_folders(folder: Path) -> None:
    """Remove the empty folders below a folder, as some backups do."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the time and the digest of every file and folder in a folder."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (folder, *folder.rglob("*"))
    }
