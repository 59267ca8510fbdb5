"""Power cuts, full and broken disks, refusals and network file systems: one clear failure, and the store is whole."""

import errno
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from storage import FileFeatureStore, durable
from storage.rules import deletion
from storage.testing.samples import SPECS, TONES, content, features, record, rows, same_rows
from tests.storage.checks import check_whole
from tests.storage.disks import PowerCut, watch_changes

linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks up open files in /proc")


def fill(store, numbers):
    for number in numbers:
        store.commit(record(f"/{number}", number), features(number), SPECS)


class Work:
    """Commits, a deletion, compactions and a collection, step by step, with what was acknowledged so far."""

    def __init__(self, home):
        self.store = FileFeatureStore.open(home)
        self.acknowledged = []
        self.gone = []

    def steps(self):
        """Yield what to do, in order."""
        for number in (10, 11):
            yield lambda number=number: self.commit(number)
        yield lambda: self.delete(1)
        yield self.store.compact
        yield lambda: self.commit(12)
        yield self.store.compact
        yield lambda: self.store.gc(grace_s=GRACE_S)

    def commit(self, number):
        self.store.commit(record(f"/{number}", number), features(number), SPECS)
        self.acknowledged.append(number)

    def delete(self, number):
        self.store.commit(deletion(record(f"/{number}", number), 9), {}, {})
        self.gone.append(number)


GRACE_S = 3600.0


@pytest.fixture
def half_compacted(home):
    """A store with something in parts and in the inbox."""
    store = FileFeatureStore.open(home)
    fill(store, range(3))
    store.compact()
    fill(store, range(3, 4))
    return home


@pytest.fixture
def disk(half_compacted):
    cut = PowerCut(half_compacted)
    yield cut
    cut.close()


@linux
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


@linux
def test_the_simulated_power_cut_finds_a_rename_that_was_not_flushed(half_compacted, disk, tmp_path, monkeypatch):
    with watch_changes(monkeypatch, lambda *_: None, after=disk.flushed):
        monkeypatch.setattr(durable, "sync_path", lambda _: None)
        fill(FileFeatureStore.open(half_compacted), [20])
    images = disk.images(tmp_path / "after the cut", random.Random(1))
    with pytest.raises(AssertionError):
        check_whole(next(images), [*range(4), 20])


@linux
def test_the_simulated_power_cut_finds_data_that_was_not_flushed(half_compacted, disk, tmp_path, monkeypatch):
    with watch_changes(monkeypatch, lambda *_: None, after=disk.flushed):
        monkeypatch.setattr(durable, "sync", lambda _: None)
        fill(FileFeatureStore.open(half_compacted), [20])
    images = disk.images(tmp_path / "after the cut", random.Random(1))
    with pytest.raises(StoreError, match="damaged"):
        check_whole(next(images), [*range(4), 20])


def changes_made(half_compacted, monkeypatch):
    """Do all the work once and return how many changes of the disk it takes."""
    made = []
    with watch_changes(monkeypatch, lambda *change: made.append(change)):
        for step in Work(half_compacted).steps():
            step()
    return len(made)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
def test_an_error_at_any_step_is_one_clear_failure_and_leaves_the_store_whole(half_compacted, monkeypatch, number):
    steps = changes_made(half_compacted, monkeypatch)
    assert steps > 40
    work = Work(half_compacted)
    chance = random.Random(number)
    for failing in sorted(chance.sample(range(steps), 14)):
        calls = 0

        def fail(name, arguments, failing=failing):
            nonlocal calls, met
            calls += 1
            if calls - 1 == failing:
                met = name
                raise OSError(number, os.strerror(number), str(arguments[0]))

        offset, met = 1000 * (failing + 1), ""
        failures = []
        with watch_changes(monkeypatch, fail):
            for step in (
                lambda offset=offset: work.commit(offset),
                lambda offset=offset: work.commit(offset + 1),
                work.store.compact,
                lambda: work.store.gc(grace_s=GRACE_S),
            ):
                try:
                    step()
                except StoreError as error:
                    failures.append(str(error))
        assert len(failures) <= 1
        for failure in failures:
            assert "\n" not in failure
            assert str(half_compacted) in failure
            assert os.strerror(number) in failure
        left = list((half_compacted / "tmp").iterdir())
        assert not left or met == "unlink", "nothing half-written stays, unless it could not be removed"
        for path in left:
            path.unlink()
        check_whole(half_compacted, [*range(4), *work.acknowledged])
        work.commit(offset)
        work.commit(offset + 1)
    work.store.compact()
    check_whole(half_compacted, [*range(4), *work.acknowledged])


@pytest.mark.parametrize("moment", ["unlink", "fsync"])
def test_a_manifest_that_was_published_though_that_failed_keeps_its_parts(half_compacted, monkeypatch, moment):
    fill(FileFeatureStore.open(half_compacted), [5, 6])
    published = []

    def note(name, arguments):
        if published and name == moment:
            published.clear()
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(arguments[0]))

    def linked(name, arguments):
        if name == "link" and "manifest" in str(arguments[1]):
            published.append(arguments)

    store = FileFeatureStore.existing(half_compacted)
    with watch_changes(monkeypatch, note, after=linked), pytest.raises(StoreError):
        store.compact()
    assert not published
    check_whole(half_compacted, [*range(4), 5, 6])
    store.compact()
    store.gc(grace_s=GRACE_S)
    check_whole(half_compacted, [*range(4), 5, 6])


def test_a_hard_link_whose_reply_was_lost_counts_as_made(half_compacted, monkeypatch):
    real = os.link
    lost = []

    def link(*arguments, **options):
        real(*arguments, **options)
        lost.append(arguments)
        raise FileExistsError(errno.EEXIST, "File exists", str(arguments[1]))  # the request was sent twice

    monkeypatch.setattr(os, "link", link)
    store = FileFeatureStore.existing(half_compacted)
    report = store.compact()
    monkeypatch.undo()
    assert (report.state, report.segments) == ("compacted", 1)
    assert lost
    check_whole(half_compacted, range(4))


def test_a_hard_link_that_another_host_made_first_is_not_ours(half_compacted, monkeypatch):
    real = os.link
    rival = FileFeatureStore.open(half_compacted)

    def link(*arguments, **options):
        monkeypatch.setattr(os, "link", real)
        rival.commit(record("/50", 50), features(50), SPECS)
        rival.compact()
        return real(*arguments, **options)

    monkeypatch.setattr(os, "link", link)
    FileFeatureStore.existing(half_compacted).compact()
    check_whole(half_compacted, [*range(4), 50])


def test_names_that_a_stale_handle_still_leads_to_are_looked_up_again(half_compacted, monkeypatch):
    store = FileFeatureStore.existing(half_compacted)
    snapshot = store.snapshot()
    store.compact()
    real = os.open
    stale = []

    def opening(path, *arguments, **options):
        if "inbox" in str(path) and not stale:
            stale.append(path)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", opening)
    with suppress(StoreError):  # worth another attempt, which the task makes
        store.record(record("/0", 0).track_id)
    assert stale
    assert store.record(record("/0", 0).track_id) == record("/0", 0)
    assert same_rows(snapshot.rows(TONES.key, [content(3)])[0], rows(TONES, 3)), "merged since, and found again"


def test_a_store_works_where_files_cannot_be_locked(home, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    for name in ("flock", "lockf"):
        monkeypatch.setattr(fcntl, name, refuse)
    store = FileFeatureStore.open(home)
    fill(store, range(4))
    store.compact()
    check_whole(home, range(4))


def test_nothing_is_locked_while_it_is_read_or_written(half_compacted, tmp_path):
    import fcntl

    store = FileFeatureStore.open(half_compacted)
    held = []
    for path in (path for path in half_compacted.rglob("*") if path.is_file()):
        file = path.open("rb+")
        fcntl.flock(file, fcntl.LOCK_EX)
        held.append(file)
    try:
        fill(store, [30])
        store.compact()
        check_whole(half_compacted, [*range(4), 30])
    finally:
        for file in held:
            file.close()


def test_a_segment_that_is_there_already_is_replaced_by_the_same(half_compacted):
    store = FileFeatureStore.open(half_compacted)
    rival = FileFeatureStore.open(half_compacted)
    real = store._layout.segments_of_track
    store._layout.segments_of_track = lambda track_id: (fill(rival, [40]), real("0" * 32))[1]  # sees nothing yet
    store._layout.segments_of_content = lambda _: []
    assert store.commit(record("/40", 40), features(40), SPECS) is True
    check_whole(half_compacted, [*range(4), 40])
