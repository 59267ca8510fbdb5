"""The priority of processes for the processor and the disk."""

import sys
from collections.abc import Iterable

import psutil

from workers.app.controls import Io

HIGHEST = 19


def apply(processes: Iterable[psutil.Process], *, nice: int, io: Io) -> str:
    """Give processes a niceness and a disk priority; return in words what the system does not allow, empty if nothing.

    `nice` is absolute. Anybody may raise it; only root may lower it again.
    """
    refused = ""
    for process in processes:
        try:
            if process.nice() != nice:
                process.nice(nice)
            if sys.platform.startswith("linux"):  # nobody else has disk priorities
                io_class = psutil.IOPRIO_CLASS_IDLE if io == "idle" else psutil.IOPRIO_CLASS_NONE
                if process.ionice().ioclass != io_class:
                    process.ionice(io_class)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            refused = f"process {process.pid}: its niceness stays {process.nice()}, only root may lower it"
    return refused


def child_niceness(own: int, added: int) -> int:
    """Return the niceness of a process whose parent has `own`, with `added` on top."""
    return min(HIGHEST, own + added)
