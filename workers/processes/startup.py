"""The start of a process: what keeps imports quick."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

from workers.processes.environment import QUIET


def limit_numpy_threads() -> None:
    """Let NumPy start no threads when it is imported: they are a third of its cost, and help large products only."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", QUIET["OPENBLAS_NUM_THREADS"])


def prepare_short_command() -> None:
    """Let a command that only reads start quickly: it makes little but modules, of which the collector frees none."""
    limit_numpy_threads()
    gc.set_threshold(200_000)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from searching what is imported, now and later: none of it is ever freed."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
