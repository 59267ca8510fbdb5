"""Listings of folders that others write into are kept only while they are true."""

import os

import pytest

from storage.filestore.inbox import Listings

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
def listings(tmp_path):
    """Listings of `tmp_path` with a clock that goes on by what is added to it."""
    (tmp_path / "00").mkdir()
    clock = [0.0]
    return Listings(tmp_path, now_s=lambda: clock[0]), clock


def put(folder, name, *, mtime_ns):
    """Add a file within a tick of the clock that stamps the folder."""
    (folder / name).touch()
    os.utime(folder, ns=(mtime_ns, mtime_ns))


def test_the_names_that_tell_an_id_are_found(listings, tmp_path):
    for name in (f"{ONE}.1.{TWO}.h5", f"{TWO}.1.{TWO}.h5", ".DS_Store"):
        (tmp_path / "00" / name).touch()
    inbox, clock = listings
    for _ in range(3):
        assert inbox.names_with("00", ONE) == [f"{ONE}.1.{TWO}.h5"]
        assert len(inbox.names_with("00", TWO)) == 2
        assert list(inbox.names_with("ff", ONE)) == []
        clock[0] += 10


def test_what_is_added_within_a_tick_of_the_last_change_is_seen(listings, tmp_path):
    inbox, clock = listings
    now_ns = 1_700_000_000_123_456_789
    put(tmp_path / "00", f"{ONE}.1.h5", mtime_ns=now_ns)
    assert len(inbox.names_with("00", ONE)) == 1
    put(tmp_path / "00", f"{ONE}.2.h5", mtime_ns=now_ns)
    assert len(inbox.names_with("00", ONE)) == 2
    clock[0] += 1
    assert len(inbox.names_with("00", ONE)) == 2


def test_what_is_added_or_removed_later_is_seen(listings, tmp_path):
    inbox, clock = listings
    put(tmp_path / "00", f"{ONE}.1.h5", mtime_ns=1_700_000_000_123_456_789)
    for _ in range(3):
        assert len(inbox.names_with("00", ONE)) == 1
        clock[0] += 1
    put(tmp_path / "00", f"{ONE}.2.h5", mtime_ns=1_700_000_000_127_456_789)
    assert len(inbox.names_with("00", ONE)) == 2
    clock[0] += 1
    (tmp_path / "00" / f"{ONE}.1.h5").unlink()
    assert inbox.names_with("00", ONE) == [f"{ONE}.2.h5"]


def test_a_settled_folder_is_not_listed_again_and_one_with_whole_seconds_settles_later(listings, tmp_path, monkeypatch):
    inbox, clock = listings
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda place: listed.append(place) or scandir(place))
    for mtime_ns, after_a_second in ((1_700_000_000_123_456_789, 0), (1_700_000_100_000_000_000, 1)):
        put(tmp_path / "00", f"{ONE}.{mtime_ns}.h5", mtime_ns=mtime_ns)
        inbox.names_with("00", ONE)
        clock[0] += 1
        inbox.names_with("00", ONE)
        listed.clear()
        inbox.names_with("00", ONE)
        assert len(listed) == after_a_second
        clock[0] += 100
        inbox.names_with("00", ONE)
        listed.clear()
        inbox.names_with("00", ONE)
        assert not listed
