"""A limit on what a trial may allocate: the memory that is free when it begins.

Without one the kernel grants more than there is and then kills some process, perhaps another one. With it the trial
that allocates too much gets a `MemoryError`, and fails with that reason.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux has the limits of a container."""


def free_bytes(groups: Path = GROUPS) -> int:
    """Return how much memory may still be used: the host's free memory, or what a container's limit leaves if less."""
    free: int = psutil.virtual_memory().available
    left = _left_in_group(groups)
    return free if left is None else min(free, left)


@contextmanager
def limit_memory(free: int | None = None) -> Iterator[None]:
    """In this context let this process allocate `free` bytes more at most, by default all that is free; on Linux only.

    What is beyond raises `MemoryError`, or TensorFlow's own error of that kind.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    # What the limit counts: memory of the process that can be written to, touched or not.
    data = psutil.Process().memory_info().data
    limit = data + (free_bytes() if free is None else free)
    allowed = [bound for bound in (limit, *before) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(allowed), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _left_in_group(groups: Path) -> int | None:
    """Return what is left of the limit of the container this runs in; None without one. Versions 2 and 1 of cgroups."""
    for limit_file, used_file, cache in (
        (groups / "memory.max", groups / "memory.current", "inactive_file"),
        (groups / "memory/memory.limit_in_bytes", groups / "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limit = limit_file.read_text("ascii").strip()
            if limit == "max":
                return None
            used = int(used_file.read_text("ascii"))
            lines = (limit_file.parent / "memory.stat").read_text("ascii").splitlines()
            statistics = dict(line.split() for line in lines)
        except (OSError, ValueError):
            continue
        # Pages of files that were read are given up for whoever needs memory.
        return max(0, int(limit) - used + int(statistics.get(cache, 0)))
    return None
