"""Child processes of a run: they end with it, however it ends, and leave nothing running."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.errors import ChordalError
from pipeline.text import printable
from workers.processes.death import Death, death_of
from workers.processes.environment import QUIET

if TYPE_CHECKING:
    import psutil

WARM_S = 3.0
"""Seconds a worker may take to end by itself; what it was working on is not lost, only not done."""


class Child:
    """A chordal command, or another Python program, in a process group of its own, tied to this process by a socket.

    Its standard input is a socket that nobody here writes to: when this process ends, in whatever way, the socket
    closes and the child ends itself. The child may write there, once, that it is ready. A terminal's Ctrl-C reaches
    this process alone.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, *, program: Sequence[str] = ("-P", "-m", "workers.cli")
    ) -> None:
        self.name = name
        self.log = log
        self.environment: dict[str, str] = {}
        self._arguments = [sys.executable, *program, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: socket.socket | None = None
        self._is_ready = False
        self._log_start = 0

    def start(self) -> Self:
        """Start the command, its output going to the log.

        Raises `ChordalError` where the system starts no process, or there is no log to write to.
        """
        self.request_end()
        self._is_ready = False
        try:
            self._lifeline, theirs = socket.socketpair()
            self._lifeline.setblocking(False)
            with theirs, self.log.open("ab") as output:
                self._log_start = output.tell()
                self._process = subprocess.Popen(
                    self._arguments,
                    stdin=theirs.fileno(),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=self.log.parent,
                    env={**os.environ, **QUIET, **self.environment},
                )
        except OSError as error:
            self.request_end()
            raise ChordalError(
                f"the {self.name} process cannot be started ({error.strerror}); its log is {printable(str(self.log))}"
            ) from error
        return self

    @property
    def pid(self) -> int | None:
        """The id of the process, once it was started."""
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether the process has said since its start that it is ready, by `report_ready`."""
        if not self._is_ready and self._lifeline is not None:
            with suppress(OSError):  # nothing was said so far
                self._is_ready = bool(self._lifeline.recv(1))
        return self._is_ready

    @property
    def death(self) -> Death | None:
        """How the process ended, with the line of its log that says why; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return death_of(
            self.name, self._process.returncode, self.log, log_start=self._log_start, was_ready=self.is_ready
        )

    def request_end(self) -> None:
        """Let the process end itself, by closing its socket."""
        if self._lifeline is not None:
            self._lifeline.close()

    def finish(self) -> None:
        """Let a worker end after the tasks it works on; it takes no more."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, *, within_s: float = WARM_S) -> None:
        """End the process and all its children, by force after `within_s`."""
        if self._process is None:
            return
        import psutil

        processes = _tree(self._process.pid)
        self.request_end()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # The whole group: a worker that was killed leaves its pool behind.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            psutil.wait_procs(processes, timeout=5)
            self._process.wait(5)


def _tree(pid: int) -> "list[psutil.Process]":
    import psutil

    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _kill(process: "psutil.Process") -> None:
    import psutil

    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def end_with_parent() -> None:
    """Watch standard input, and when the process at its other end is gone, end this process and its children.

    Called by a command that a `Child` started. A thread, since Celery owns the main one.
    """
    import psutil

    def watch() -> None:
        # An error, when it ends before it has read that this one is ready.
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        # Celery's own warm shutdown would wait for a training that may take hours; the store and the ledger are safe
        # against a kill, so a short wait for the current file is enough.
        os.kill(os.getpid(), signal.SIGTERM)
        children = psutil.Process().children(recursive=True)
        psutil.wait_procs(children, timeout=WARM_S)
        if not children:
            # A process without any ends by the signal; Flower saves its history first.
            threading.Event().wait(WARM_S)
        for child in psutil.Process().children(recursive=True):
            _kill(child)
        os._exit(0)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def report_ready() -> None:
    """Say to the process that started this one as its `Child` that it is ready: what it is for, it does from now on."""
    with suppress(OSError):  # it is gone, which `end_with_parent` notices
        os.write(0, b"r")
