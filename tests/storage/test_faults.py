"""Full and broken disks, refusals and network file systems: one clear failure, and the store is whole."""

import errno
import os
import random
from contextlib import suppress

import pytest

from pipeline.errors import StoreError
from storage import FileFeatureStore
from storage.testing.samples import SPECS, TONES, content, features, record, rows, same_rows
from tests.storage.disks import watch_changes
from tests.storage.stores import GRACE_S, Work, check_whole, fill

pytestmark = pytest.mark.slow


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


def test_a_store_works_where_files_cannot_be_locked(store_folder, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    for name in ("flock", "lockf"):
        monkeypatch.setattr(fcntl, name, refuse)
    store = FileFeatureStore.open(store_folder)
    fill(store, range(4))
    store.compact()
    check_whole(store_folder, range(4))


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
