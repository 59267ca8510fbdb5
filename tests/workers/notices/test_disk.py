import os

import pytest

from workers.notices.disk import describe_low_disk

GIB = 1024**3


@pytest.mark.parametrize(
    ("size_gib", "free_gib", "files", "free_files", "words"),
    [
        (4000, 11, 1000, 1000, ""),  # much, though little of so large a disk
        (4000, 9.5, 1000, 1000, "9.5 GiB of 4000.0 GiB are free on the disk of /home"),
        (100, 6, 1000, 1000, ""),
        (100, 4, 1000, 1000, "4.0 GiB of 100.0 GiB are free on the disk of /home"),
        (1 / 64, 0, 1000, 1000, "0.0 MiB of 16.0 MiB are free on the disk of /home"),
        (100, 50, 1000, 10, "10 of 1,000 files are free on the disk of /home"),
        (100, 50, 0, 0, ""),  # a file system that has as many files as fit
    ],
)
def test_a_disk_is_low_by_its_share_or_by_what_is_left_whichever_is_less(
    tmp_path, monkeypatch, size_gib, free_gib, files, free_files, words
):
    block = 4096
    size, free = (int(each * GIB / block) for each in (size_gib, free_gib))
    # what only root may still use does not count
    found = os.statvfs_result((block, block, size, free + 9, free, files, free_files + 9, free_files, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert describe_low_disk(tmp_path).replace(str(tmp_path), "/home") == words


def test_a_home_that_is_not_there_is_not_called_full(tmp_path):
    assert describe_low_disk(tmp_path / "nowhere") == ""
