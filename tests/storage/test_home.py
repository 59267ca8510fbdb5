"""The lock of a home, and what is tried there before anything is done."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from storage import FileFeatureStore
from storage.home import home_lock, lock_holder, prepare_home, probe_home


def test_reading_the_locks_holder_does_not_take_the_lock(tmp_path):
    assert lock_holder(tmp_path) is None
    with home_lock(tmp_path, purpose="the nightly run"):
        assert lock_holder(tmp_path) == f"process {os.getpid()} (the nightly run)"
        with pytest.raises(UsageError, match="nightly run"), home_lock(tmp_path):
            pass
    assert lock_holder(tmp_path) is None


NO_LOCKS = [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL]
OTHERS = [errno.EIO, errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ESTALE]


def failing(number):
    """Return a function that fails as a system call does."""

    def fail(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    return fail


def names(number):
    return errno.errorcode[number]


@pytest.mark.parametrize("number", [*NO_LOCKS, *OTHERS], ids=names)
def test_a_home_whose_file_system_gives_no_lock_is_refused_before_anything_is_done(tmp_path, monkeypatch, number):
    monkeypatch.setattr(fcntl, "flock", failing(number))
    for refused in (lambda: prepare_home(str(tmp_path)), lambda: home_lock(tmp_path).__enter__()):
        with pytest.raises(UsageError) as told:
            refused()
        assert str(told.value).startswith(f"home {tmp_path}: ")
        assert "--home" in str(told.value)
        assert ("has no locks" in str(told.value)) is (number in NO_LOCKS)
        assert ("free some" in str(told.value)) is (number in {errno.ENOSPC, errno.EDQUOT})
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]
    # and whoever only looks is told of no holder
    assert lock_holder(tmp_path) is None


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EIO], ids=names)
def test_a_home_whose_file_system_makes_no_hard_links_is_refused(tmp_path, monkeypatch, number):
    monkeypatch.setattr(Path, "hardlink_to", failing(number))
    with pytest.raises(UsageError) as told:
        prepare_home(str(tmp_path / "home"))
    assert ("makes no hard links" in str(told.value)) is (number != errno.EIO)
    with pytest.raises(UsageError) as told:
        FileFeatureStore.open(tmp_path / "store")
    assert os.strerror(number) in str(told.value)
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "free some space, or name another folder with --home"),
        (errno.EDQUOT, "free some of your quota, or"),
        (errno.EROFS, "mount its file system for writing, or"),
        (errno.EACCES, "check who owns the folder, or"),
        (errno.EIO, "see the system's log, or"),
        (errno.ESTALE, "mount its file system again, or"),
        (errno.ENOTCONN, "mount its file system again, or"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EBADMSG, "; name another folder with --home"),
    ],
    ids=lambda value: names(value) if isinstance(value, int) else "",
)
def test_each_reason_why_a_home_cannot_be_written_has_its_own_mend(tmp_path, monkeypatch, number, mend):
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(UsageError, match=r"home .*: cannot be written \(") as told:
        prepare_home(str(tmp_path))
    assert mend in str(told.value)
    assert os.strerror(number) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_path_that_can_be_no_home_is_refused_with_the_reason(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "unmounted").symlink_to(tmp_path / "nowhere")
    for path, mend in (
        (tmp_path / "file", "move the file of that name away"),
        (tmp_path / "file" / "home", "give a path through folders"),
        (tmp_path / "loop", "mend the link in the path"),
        (tmp_path / "loop" / "home", "mend the link in the path"),
        (tmp_path / "unmounted", "whether its file system is mounted"),
        (tmp_path / ("x" * 300), "give a shorter path"),
    ):
        with pytest.raises(UsageError, match=mend):
            prepare_home(str(path))


def test_a_home_that_was_tried_holds_nothing_that_was_not_there(tmp_path):
    home = prepare_home(str(tmp_path / "home")).path
    before = sorted(home.rglob("*"))
    prepare_home(str(home))
    probe_home(home, home)
    assert sorted(home.rglob("*")) == before


def test_a_lock_is_held_on_a_full_disk_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", failing(errno.ENOSPC))  # the first thing that is written
    with home_lock(tmp_path):
        monkeypatch.undo()
        assert lock_holder(tmp_path) == "another process"


def test_what_a_killed_process_left_half_written_goes_after_a_day_and_what_cannot_go_does_not_matter(tmp_path):
    scratch = prepare_home(str(tmp_path)).path / ".tmp"
    (scratch / "new").touch()
    (scratch / "old").touch()
    os.utime(scratch / "old", (1, 1))
    prepare_home(str(tmp_path))
    assert [path.name for path in scratch.iterdir()] == ["new"]
    (scratch / "folder").mkdir()
    os.utime(scratch / "folder", (1, 1))
    prepare_home(str(tmp_path))
