"""Where compiled kernels are kept: with the installation, below a home where nobody may write there, or nowhere.

A file each, named by everything that its code depends on and never changed. So processes and hosts may write at once,
a copied installation keeps its kernels, whoever may read them uses them, and what is missing or broken is compiled.
"""

import hashlib
import os
import platform
import stat
import sys
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

SUFFIX = ".nbc"
CHECKSUM_BYTES = 4

loaded_from: set[Path] = set()
"""The folders that kernels of this process came from."""


class _Settings:
    """What this process was told."""

    home: Path | None = None
    fallback: Path | None = None
    may_compile = True


class NotCompiledError(LookupError):
    """A kernel is in no cache, and this is no time to compile it."""


def keep_below(home: Path, user_folder: Path) -> None:
    """Keep kernels in this user's folder of a home where they cannot be kept with their modules.

    The folder is made when it is needed, for this user alone: what is in it runs as code.
    """
    _Settings.home, _Settings.fallback = home, user_folder / "kernels"


@contextmanager
def without_compiling() -> Iterator[None]:
    """In this context a kernel that is in no cache raises `NotCompiledError`."""
    _Settings.may_compile = False
    try:
        yield
    finally:
        _Settings.may_compile = True


def may_compile() -> bool:
    """Return whether a kernel that is in no cache shall be compiled."""
    return _Settings.may_compile


def folders(source: Path, chosen: Path | None) -> tuple[Path, ...]:
    """Return where the kernels of a module may be, the first choice first.

    `chosen` is the folder that the user named for them, as Numba has it: the only one where it can be written.
    """
    beside = source.parent / "__pycache__"
    rest = (beside,) if _Settings.fallback is None else (beside, _Settings.fallback)
    if chosen is None:
        return rest
    return (chosen,) if _can_write(chosen) else (chosen, *rest)


def writable_folder(places: Iterable[Path]) -> Path | None:
    """Return the first of some folders where kernels can be kept; None where they can nowhere."""
    return next((folder for folder in places if _is_trusted(folder) and _can_write(folder)), None)


def load(name: str, places: Iterable[Path]) -> bytes | None:
    """Return what was kept by a name in the first folder that has it, can be read and has it whole; None for none."""
    for folder in places:
        if not _is_trusted(folder):
            continue
        try:
            data = (folder / name).read_bytes()
        except OSError:
            continue
        content = memoryview(data)[CHECKSUM_BYTES:]
        if zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "big") == data[:CHECKSUM_BYTES]:
            loaded_from.add(folder)
            return bytes(content)
    return None


def save(name: str, data: bytes, places: Iterable[Path]) -> Path | None:
    """Keep something in the first folder where it can be written, and return that; None where it can nowhere."""
    content = zlib.crc32(data).to_bytes(CHECKSUM_BYTES, "big") + data
    for folder in places:
        temporary = folder / f"{name}.{uuid.uuid4().hex[:16]}"
        try:
            # Before it is looked at: one of somebody else's may be there.
            _make(folder)
            if not _is_trusted(folder):
                continue
            temporary.write_bytes(content)
            temporary.replace(folder / name)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            continue
        return folder
    return None


@cache
def source_stamp(source: Path) -> bytes | None:
    """Return a hash of a module and of all kernels, which it may call; None where the sources cannot be read.

    Not of the module alone: a kernel holds the code of those that it calls, whatever module they are in.
    """
    try:
        sources = {source, *Path(__file__).parent.glob("*.py")}
        digest = hashlib.sha256(f"{sys.version} {platform.machine()}".encode())
        for path in sorted(sources, key=lambda path: path.name):
            digest.update(path.read_bytes())
    except OSError:
        return None
    return digest.digest()


def file_name(kernel: str, parts: Iterable[object]) -> str:
    """Return the name of a kernel's file; `parts` is all that its code depends on."""
    shown = "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in kernel)
    return f"{shown[:100]}-{hashlib.sha256(repr(tuple(parts)).encode()).hexdigest()[:32]}{SUFFIX}"


def _make(folder: Path) -> None:
    if folder != _Settings.fallback:
        folder.mkdir(parents=True, exist_ok=True)
        return
    for each in (folder.parent, folder):
        each.mkdir(exist_ok=True, mode=0o700)


def _is_trusted(folder: Path) -> bool:
    """Return whether nobody else can have put code into a folder: one in a home may be somebody else's."""
    if folder != _Settings.fallback or _Settings.home is None:
        return True  # the installation's, as its modules, or the one that the user named
    try:
        owners = {os.geteuid(), 0}
        if os.geteuid() != 0:
            # Who owns the home: a file server may have all that its users make belong to one. Root trusts root alone.
            owners.add(_Settings.home.stat().st_uid)
        found = [each.lstat() for each in (folder.parent, folder)]
    except FileNotFoundError:
        return True  # nothing is there yet
    except OSError:
        return False
    return all(stat.S_ISDIR(each.st_mode) and each.st_uid in owners and not each.st_mode & 0o022 for each in found)


def _can_write(folder: Path) -> bool:
    """Return whether files could be made in a folder, as far as can be said without making one."""
    for place in (folder, *folder.parents):
        try:
            place.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return False
        return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False
