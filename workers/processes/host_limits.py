"""What processes of a pool need of their host: shared memory for a lock, and files that may be open at once."""

import errno
import os
import resource
from contextlib import suppress

from pipeline.errors import UsageError

FILES = 4096
"""How many files a process may have open, where the host lets chordal choose."""

FILES_PER_WORKER = 8
"""Pipes and sockets that one process of a pool costs the worker's main process, with a margin."""

FILES_BESIDE = 128
"""What every process has open beside: libraries, logs, the broker, parts of the store."""

_SHARED_MEMORY_MENDS = {
    errno.ENOSPC: "free some space in /dev/shm or make it larger (docker: --shm-size)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "too many files are open on this host",
}


def require_shared_memory() -> None:
    """Make one lock as the processes of a worker share it. Raises `UsageError` where there can be none."""
    try:
        # Here, as a command that only reads has no use for it, and every command sets the folders of its user.
        import multiprocessing

        # As Celery's pool makes its own; by its context it is gone from /dev/shm at once.
        multiprocessing.get_context("fork").Lock()
    except ImportError as error:
        raise UsageError(f"shared memory: this Python has none ({error}); install one with semaphores") from error
    except OSError as error:
        mend = _SHARED_MEMORY_MENDS.get(
            error.errno or 0, "have a tmpfs at /dev/shm that this user can write to (docker: --tmpfs /dev/shm)"
        )
        raise UsageError(f"shared memory: no lock can be made ({error.strerror or error}); {mend}") from error


def files_needed(workers: int) -> int:
    """Return how many files a worker's main process has open at most."""
    return FILES_BESIDE + FILES_PER_WORKER * workers


def file_limits() -> tuple[int, int]:
    """Return how many files a process may have open, and how many it may allow itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _finite(soft), _finite(hard)


def raise_file_limit() -> None:
    """Allow this process and its children `FILES` open files, or as many as it may."""
    soft, hard = file_limits()
    wanted = min(FILES, hard)
    if soft < wanted:
        with suppress(OSError, ValueError):  # macOS has a lower limit beside; what there is may do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def require_files(workers: int) -> None:
    """Allow what some worker processes need of open files. Raises `UsageError` where that is not allowed."""
    raise_file_limit()
    allowed, needed = file_limits()[0], files_needed(workers)
    if allowed < needed:
        raise UsageError(
            f"open files: {allowed} are allowed, {workers} workers need {needed}; raise the limit "
            f"(ulimit -n {needed}; systemd: LimitNOFILE; docker: --ulimit nofile) or start fewer with --workers"
        )


def require_for_workers(workers: int | None) -> None:
    """Check what a pool of workers needs of this host, one for each core by default, before any is started.

    Raises `UsageError` naming what is missing and the mend.
    """
    require_shared_memory()
    require_files((os.cpu_count() or 1) if workers is None else workers)


def _finite(limit: int) -> int:
    return 1 << 62 if limit == resource.RLIM_INFINITY else limit
