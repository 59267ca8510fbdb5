import errno
import os
import sys

import pytest
from conditions import eventually

from workers.watch import folders
from workers.watch.changes import FileChange
from workers.watch.folders import FolderObserver


@pytest.fixture
def observed(tmp_path):
    """Observe a link to a folder, and close it in the end."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    observer = FolderObserver(str(tmp_path / "link"))
    yield observer
    observer.close()


def test_a_link_is_observed_where_it_leads_to_and_by_its_own_name(observed, tmp_path):
    observed.open()
    (tmp_path / "real" / "a.wav").write_bytes(b"a")
    expected = FileChange(kind="created", path=str(tmp_path / "link" / "a.wav"))
    eventually(lambda: expected in observed.changes(), within_s=10)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has these limits")
@pytest.mark.parametrize(
    ("number", "can_open", "mend"),
    [
        (errno.ENOSPC, True, "raise fs.inotify.max_user_watches with sysctl"),
        (errno.EMFILE, True, "raise fs.inotify.max_user_instances with sysctl"),
        (errno.EMFILE, False, "raise `ulimit -n`"),
    ],
)
def test_at_a_limit_of_the_kernel_a_folder_is_walked_and_the_mend_is_named(
    observed, monkeypatch, number, can_open, mend
):
    def refuse(*_given):
        raise OSError(number, "limit")

    monkeypatch.setattr(folders, "Notifications", refuse)
    if not can_open:
        monkeypatch.setattr(os, "open", refuse)
    assert observed.open() == f"by looking every 10 s (the kernel watches no more folders; {mend})"
    assert observed.loss is None
