"""What a pool of processes needs of its host, asked before any is started."""

import errno
import multiprocessing
import os
import resource

import pytest

from pipeline.errors import UsageError
from workers.processes import host_limits
from workers.processes.cluster import local_cluster


class _NoLocks:
    """Processes that can share no lock, for a reason."""

    def __init__(self, number):
        self.number = number

    def Lock(self):  # noqa: N802 - multiprocessing's
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.EROFS, "have a tmpfs at /dev/shm"),
        (errno.EACCES, "have a tmpfs at /dev/shm"),
        (errno.ENOENT, "have a tmpfs at /dev/shm"),
        (errno.ENOSYS, "have a tmpfs at /dev/shm"),
        (errno.ENOSPC, "free some space in /dev/shm"),
        (errno.EMFILE, "ulimit -n"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_nothing_is_started_where_processes_can_share_no_lock(tmp_path, monkeypatch, number, mend):
    host_limits.require_shared_memory()
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: _NoLocks(number))
    with pytest.raises(UsageError, match=mend), local_cluster(tmp_path, None, 1):
        pass
    assert not list(tmp_path.iterdir())


@pytest.fixture
def set_limits():
    """Sets the limits of open files, softly, and the ones before at the end."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_limit_of_open_files_that_may_be_raised_is(set_limits):
    set_limits(256)
    host_limits.require_files(8)
    assert host_limits.file_limits()[0] >= host_limits.files_needed(8)


def test_a_limit_of_open_files_that_is_too_low_is_named_with_the_need(set_limits, monkeypatch):
    set_limits(256)
    monkeypatch.setattr(host_limits, "raise_file_limit", lambda: None)
    with pytest.raises(UsageError, match=r"open files: 256 are allowed, 64 workers need \d+; raise .*ulimit -n"):
        host_limits.require_for_workers(64)
    host_limits.require_for_workers(1)


def test_a_limit_that_is_high_stays(set_limits):
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before < host_limits.FILES <= hard:
        before = host_limits.FILES + 1
        set_limits(min(before, hard))
    host_limits.raise_file_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before, hard)
