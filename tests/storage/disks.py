"""File systems that fail, lie and lose power, between the store and the real one.

The layer sits where Python meets the system: every function of `os` that changes what is on the disk. HDF5 writes the
parts of families without Python; those writes are met by the tests that trace real system calls.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from storage import durable

CHANGING = ("fsync", "link", "mkdir", "open", "rename", "replace", "unlink")
"""The functions of `os` through which the store changes the disk; `open` stands for what makes files, too."""


@contextmanager
def watch_changes(monkeypatch, before: Callable[[str, tuple], None], *, after=lambda *_: None) -> Iterator[None]:
    """Call `before` with the name and the arguments of each change, before it is made, and `after` when it was."""

    def wrap(name):
        real = getattr(os, name)

        def call(*arguments, **options):
            if name == "open" and not (arguments[1] if len(arguments) > 1 else 0) & os.O_CREAT:
                return real(*arguments, **options)
            before(name, arguments)
            result = real(*arguments, **options)
            after(name, arguments)
            return result

        return call

    def write_whole(path, *pieces):
        before("write", (path,))
        real_write_whole(path, *pieces)

    real_write_whole = durable.write_whole
    with monkeypatch.context() as patch:
        for name in CHANGING:
            patch.setattr(os, name, wrap(name))
        patch.setattr(durable, "write_whole", write_whole)
        # Elsewhere `sync` asks for more than fsync; here it has to be seen.
        patch.setattr(durable, "sync", os.fsync)
        yield


class PowerCut:
    """What a disk would hold after a power cut, at each moment of some work below a folder.

    A file keeps what it held when it was last flushed, a folder the names it had when it was last flushed. Of what was
    not flushed anything may be there or not: each file, and each name, by itself.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._data: dict[int, bytes] = {}
        self._names: dict[str, dict[str, int | None]] = {}
        self._seen: set[int] = set()
        self._open: dict[int, int] = {}
        # What was there before is on the disk.
        for folder, _, files in os.walk(root):
            self._flush_folder(folder)
            for name in files:
                self._flush_file(f"{folder}/{name}")

    def flushed(self, name: str, arguments: tuple) -> None:
        """Note what a call flushed."""
        if name != "fsync":
            return
        path = str(Path(f"/proc/self/fd/{arguments[0]}").readlink())
        if not path.startswith(str(self._root)):
            return
        if Path(path).is_dir():
            self._flush_folder(path)
        else:
            self._flush_file(path)

    def _flush_file(self, path: str) -> None:
        self._data[self._inode(path)] = Path(path).read_bytes()

    def _flush_folder(self, path: str) -> None:
        with os.scandir(path) as entries:
            self._names[path] = {entry.name: None if entry.is_dir() else self._inode(entry.path) for entry in entries}

    def _inode(self, path: str) -> int:
        """Return the number of a file that was flushed, and keep it open, so that no other file gets its number."""
        inode = Path(path).stat().st_ino
        if inode not in self._open:
            self._open[inode] = os.open(path, os.O_RDONLY)
        return inode

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._open.values():
            os.close(descriptor)

    def images(self, into: Path, chance) -> Iterator[Path]:
        """Yield folders that hold what may be left: nothing that was not flushed, and all names or a mixture.

        What looks like one that was there before is left out.
        """
        # A name that is there although its folder was not flushed leads to what was flushed of the file, if anything.
        for names, data in (("flushed", "flushed"), chance.choice((("all", "flushed"), ("some", "some")))):
            files: dict[Path, bytes | None] = {}
            self._rebuild(str(self._root), into, names, data, chance, files)
            looks = hash(tuple(files.items()))
            if looks in self._seen:
                continue
            self._seen.add(looks)
            shutil.rmtree(into, ignore_errors=True)
            for path, content in files.items():
                if content is None:
                    path.mkdir(parents=True)
                else:
                    path.write_bytes(content)
            yield into

    def _rebuild(self, folder: str, into: Path, names: str, data: str, chance, files) -> None:
        files[into] = None
        with os.scandir(folder) as entries:
            now = {entry.name: None if entry.is_dir() else entry.inode() for entry in entries}
        before = self._names.get(folder, {})
        for name in sorted({*now, *before}):
            same = name in now and name in before and now[name] == before[name]
            newer = same or names == "all" or (names == "some" and chance.random() < 0.5)
            held = now if newer else before
            if name not in held:
                continue
            inode = held[name]
            path = f"{folder}/{name}"
            if inode is None:
                self._rebuild(path, into / name, names, data, chance, files)
            else:
                files[into / name] = self._content(path, inode, data, chance)

    def _content(self, path: str, inode: int, data: str, chance) -> bytes:
        flushed = self._data.get(inode, b"")
        if data == "flushed" or not Path(path).exists() or Path(path).stat().st_ino != inode:
            return flushed
        now = Path(path).read_bytes()
        # Not flushed: all of it, a torn end, or zeros where blocks were never written.
        return chance.choice((now, flushed, now[: len(now) // 2], bytes(len(now)))) if now != flushed else now
