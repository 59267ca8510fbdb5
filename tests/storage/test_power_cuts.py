"""Power cuts at any moment: what was acknowledged is there, and the store is whole."""

import random
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from storage import FileFeatureStore, durable
from storage.testing.samples import SPECS, features, record
from tests.storage.disks import PowerCut, watch_changes
from tests.storage.stores import Work, check_whole, fill

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks up open files in /proc")


@pytest.fixture
def disk(half_compacted):
    cut = PowerCut(half_compacted)
    yield cut
    cut.close()


class Paused:
    """Calls that are not watched while one of them is at work."""

    def __init__(self, before, after):
        self._before, self._after = before, after
        self._on = True

    def undo(self):
        self._on = False

    def redo(self):
        self._on = True

    def before(self, name, arguments):
        if self._on:
            self._before(name, arguments)

    def after(self, name, arguments):
        if self._on:
            self._after(name, arguments)


def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(half_compacted, disk, tmp_path, monkeypatch):
    work = Work(half_compacted)
    chance = random.Random(11)
    moments = images = 0

    def cut(_name, _arguments):
        nonlocal moments, images
        moments += 1
        acknowledged, gone = list(work.acknowledged), list(work.gone)
        monkeypatch_now.undo()
        try:
            for image in disk.images(tmp_path / "after the cut", chance):
                images += 1
                store = check_whole(image, [*range(4), *acknowledged], gone=gone)
                if images % 8 == 0:
                    store.commit(record("/99", 99), features(99), SPECS)
                    store.compact()
                    check_whole(image, [*range(4), *acknowledged, 99], gone=gone)
        finally:
            monkeypatch_now.redo()

    monkeypatch_now = Paused(cut, disk.flushed)
    with watch_changes(monkeypatch, monkeypatch_now.before, after=monkeypatch_now.after):
        for step in work.steps():
            step()
    assert moments > 50
    assert images > 25
    check_whole(half_compacted, [*range(4), *work.acknowledged], gone=work.gone)


def test_the_simulated_power_cut_finds_a_rename_that_was_not_flushed(half_compacted, disk, tmp_path, monkeypatch):
    with watch_changes(monkeypatch, lambda *_: None, after=disk.flushed):
        monkeypatch.setattr(durable, "sync_path", lambda _: None)
        fill(FileFeatureStore.open(half_compacted), [20])
    images = disk.images(tmp_path / "after the cut", random.Random(1))
    with pytest.raises(AssertionError):
        check_whole(next(images), [*range(4), 20])


def test_the_simulated_power_cut_finds_data_that_was_not_flushed(half_compacted, disk, tmp_path, monkeypatch):
    with watch_changes(monkeypatch, lambda *_: None, after=disk.flushed):
        monkeypatch.setattr(durable, "sync", lambda _: None)
        fill(FileFeatureStore.open(half_compacted), [20])
    images = disk.images(tmp_path / "after the cut", random.Random(1))
    with pytest.raises(StoreError, match="damaged"):
        check_whole(next(images), [*range(4), 20])
