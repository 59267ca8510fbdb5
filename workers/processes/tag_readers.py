"""Processes that read the tags of files, one for each core; a file that kills one costs that file alone."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

import msgspec

from pipeline.errors import ChordalError
from pipeline.library.tags.read import BLOCK
from pipeline.library.tags.tags import READER, Tags
from pipeline.library.tracks import FileStamp
from workers.processes.environment import QUIET

GROUP_FILES = 25
"""How many files a process is given at once."""

LIMIT_S = 60.0
"""How long a process may take over a group, seconds: a file that it cannot get done with is left."""

UNREADABLE = Tags(cut=(BLOCK,), reader=READER)
"""Of a file that ends the process that reads it: it has no tags, and is not tried again until it changes."""

_READ_BYTES = 1 << 16


class TagReaders:
    """Reads the tags of many files at once; the processes are started when there is something to read.

    A context that ends them, and a `TagSource` where nothing is known of the files.
    """

    def __init__(self, fields: Sequence[str] = (), *, processes: int | None = None) -> None:
        self._fields = tuple(fields)
        self._pool = ThreadPoolExecutor(processes or os.cpu_count() or 1, thread_name_prefix="tags")
        self._own = threading.local()
        self._started: list[_Reader] = []
        self._starting = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def tags_of(self, files: Sequence[tuple[str, FileStamp]]) -> list[Tags | None]:
        """Return the tags of files, given by path and stamp, in their order; None for those that cannot be read."""
        return self.read([path for path, _ in files])

    def read(self, paths: Sequence[str]) -> list[Tags | None]:
        """Return the tags of files, in their order; None for those that cannot be read."""
        groups = [paths[at : at + GROUP_FILES] for at in range(0, len(paths), GROUP_FILES)]
        return [tags for group in self._pool.map(self._read_group, groups) for tags in group]

    def close(self) -> None:
        """End the processes, whatever they do."""
        with self._starting:
            self._closed = True
            for reader in self._started:
                reader.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for reader in self._started:
            reader.end()

    def _read_group(self, paths: Sequence[str]) -> list[Tags | None]:
        """Return the tags of some files by the process of this thread; after its death one by one, by another one."""
        with suppress(_LostError):
            return self._reader().ask(paths)
        found: list[Tags | None] = []
        for path in paths:
            try:
                found += self._reader().ask([path])
            except _LostError:
                found.append(UNREADABLE)
        return found

    def _reader(self) -> "_Reader":
        reader: _Reader | None = getattr(self._own, "reader", None)
        if reader is not None and reader.alive:
            return reader
        with self._starting:
            if self._closed:
                raise _LostError
            self._started = [each for each in self._started if each is not reader]
            reader = self._own.reader = _Reader(self._fields)
            self._started.append(reader)
        return reader


class _LostError(Exception):
    """The process ended before it answered, or took too long and was ended."""


class _Reader:
    """One process. A terminal's Ctrl-C does not reach it; it ends with its input, so with this process."""

    def __init__(self, fields: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pipeline.library.tags.serve", *fields],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **QUIET},
            )
        except OSError as error:
            raise ChordalError(f"a process that reads tags cannot be started ({error.strerror})") from error
        self._rest = b""
        self.alive = True

    def ask(self, paths: Sequence[str]) -> list[Tags | None]:
        """Return the tags of files. Raises `_LostError`."""
        line = json.dumps(list(paths)).encode("ascii") + b"\n"
        assert self._process.stdin is not None  # noqa: S101 - narrows the type
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
            return msgspec.json.decode(self._answer(), type=list[Tags | None])
        except (OSError, ValueError) as error:
            self.end()
            raise _LostError from error

    def _answer(self) -> bytes:
        """Return the next line of its answers. Raises `OSError` when there is none."""
        assert self._process.stdout is not None  # noqa: S101 - narrows the type
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + LIMIT_S
        poll = select.poll()  # not select.select, which takes no descriptor above 1,023
        poll.register(descriptor, select.POLLIN)
        pieces = [self._rest]
        while b"\n" not in pieces[-1]:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not poll.poll(left_s * 1000):
                raise TimeoutError
            piece = os.read(descriptor, _READ_BYTES)
            if not piece:
                raise BrokenPipeError
            pieces.append(piece)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        return line

    def kill(self) -> None:
        """End the process at once, so that whoever waits for its answer gets none."""
        self.alive = False
        self._process.kill()

    def end(self) -> None:
        """End the process and free what it took; safe to call again."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()
