"""How politely processes use the processor and the disk."""

import sys
from collections.abc import Iterable

import psutil

from workers.app.controls import Io

POLITEST = 19


def apply(processes: Iterable[psutil.Process], *, nice: int, io: Io) -> str:
    """Give processes a niceness and a disk priority; return what the system does not allow, or nothing.

    `nice` is absolute. Anybody may become more polite; only root may become less so again.
    """
    refused = ""
    for process in processes:
        try:
            if process.nice() != nice:
                process.nice(nice)
            if sys.platform.startswith("linux"):  # nobody else has disk priorities
                wanted = psutil.IOPRIO_CLASS_IDLE if io == "idle" else psutil.IOPRIO_CLASS_NONE
                if process.ionice().ioclass != wanted:
                    process.ionice(wanted)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            refused = f"process {process.pid}: its niceness stays {process.nice()}, only root may lower it"
    return refused


def share(own: int, added: int) -> int:
    """Return the niceness of a process whose parent has `own` when `added` is asked for on top."""
    return min(POLITEST, own + added)
