"""The start of a process: what keeps imports quick."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

from workers.processes.environment import QUIET


def limit_numpy_threads() -> None:
    """Let NumPy start no threads when it is imported: they are a third of its cost, and help large products only."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", QUIET["OPENBLAS_NUM_THREADS"])


def prepare_short_command() -> None:
    """Let a command that only reads start and end quickly.

    It makes little but modules, of which the collector frees none, nor does it at the end, where it searches them all.
    """
    limit_numpy_threads()
    gc.set_threshold(200_000)
    atexit.register(gc.freeze)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import what a command that works long needs, without what imports cost beside; for imports alone.

    The garbage collector searches none of it, now or later, since none of it is ever freed; and redis-py does not find
    the OpenTelemetry that MLflow may have brought, which it would load for measurements that nobody reads.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    hidden = [name for name in ("opentelemetry.metrics", "opentelemetry.sdk.metrics") if name not in modules]
    modules.update(dict.fromkeys(hidden))
    gc.disable()
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
        gc.freeze()
        gc.enable()
