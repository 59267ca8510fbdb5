"""What nobody refers to any more is given back, in steps that no writer and no reader can be hurt by."""

import os
import time

import pytest

from storage import FileFeatureStore
from storage.base import GRACE_S, UNUSED_S
from storage.filestore import pins
from storage.filestore.layout import Layout
from storage.rules import deletion
from storage.testing.samples import SPECS, TONES, content, features, record, rows, same_rows
from tests.storage.stores import fill

DAY_S = 24 * 3600.0


class Clock:
    """The clock of the file system, to be set forward."""

    def __init__(self):
        self.ahead_s = 0.0

    def __call__(self, _folder):
        return time.time() + self.ahead_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("storage.durable.clock_s", clock)
    return clock


def delete(store, numbers):
    for number in numbers:
        store.commit(deletion(record(f"/{number}", number), 9), {}, {})


def parts(store_folder):
    return {path.name for path in (store_folder / "parts").iterdir()}


def stored(store, numbers):
    return [number for number in numbers if store.families_of(content(number)) == set(SPECS)]


def check(store, numbers):
    for key, family in SPECS.items():
        found = store.snapshot().rows(key, [content(number) for number in numbers])
        assert all(same_rows(one, rows(family, number)) for number, one in zip(numbers, found, strict=True))


def test_features_of_deleted_files_are_dropped_after_the_time_to_come_back_and_the_grace(store, store_folder, clock):
    fill(store, range(10))
    store.compact()
    delete(store, range(5))
    for ahead_s in (0, UNUSED_S - DAY_S):
        clock.ahead_s = ahead_s
        assert store.compact().dropped == 0
        assert stored(store, range(10)) == list(range(10)), "they may come back"
    clock.ahead_s = UNUSED_S + 1
    assert store.compact().dropped == 0
    assert stored(store, range(10)) == list(range(5, 10)), "they are not found any more"
    clock.ahead_s += GRACE_S + 1
    assert store.compact().dropped == 2 * 5
    store.gc()
    named = {part.name for part in Layout(store_folder).manifest(Layout(store_folder).generations()[-1]).parts}
    assert len(named) == 3
    assert len(store.snapshot()) == 10, "the marks stay"
    check(store, range(5, 10))
    assert store.verify().damages == ()


def test_old_contents_of_changed_files_are_dropped_too(store, clock):
    fill(store, range(4))
    store.compact()
    for number in range(4):
        store.commit(record(f"/{number}", 10 + number, sequence=2), features(10 + number), SPECS)
    for step_s in (0, UNUSED_S + 1, GRACE_S + 1):
        clock.ahead_s += step_s
        store.compact()
    assert stored(store, range(20)) == [10, 11, 12, 13]
    check(store, range(10, 14))


def test_a_file_that_comes_back_in_time_is_not_computed_again_and_stays(store, clock):
    fill(store, range(6))
    store.compact()
    delete(store, range(6))
    store.compact()
    store.commit(record("/2", 2, sequence=11), {}, {})
    for step_s in (UNUSED_S + 1, GRACE_S + 1):
        clock.ahead_s += step_s
        store.compact()
    assert stored(store, range(6)) == [2]
    check(store, [2])


def test_a_writer_that_saw_a_content_just_before_it_was_condemned_finds_it_again(store, clock):
    fill(store, range(6))
    store.compact()
    delete(store, range(6))
    store.compact()
    clock.ahead_s = UNUSED_S + 1
    assert stored(store, [3]) == [3]  # what the writer sees, and so it will bring no features
    store.compact()
    assert stored(store, [3]) == []
    store.commit(record("/late", 3, sequence=12), {}, {})
    store.compact()
    assert stored(store, range(6)) == [3]
    clock.ahead_s += GRACE_S + 1
    store.compact()
    check(store, [3])


def test_little_that_is_unused_is_not_worth_rewriting_a_part(store, store_folder):
    fill(store, range(10))
    store.compact()
    before = parts(store_folder)
    delete(store, range(2))
    store.compact()
    kept = {name for name in before if not name.startswith("tracks")}
    assert kept <= parts(store_folder)
    assert len(parts(store_folder) - before) == 1, "only the records"


def test_compacting_again_and_again_publishes_nothing_new(store, store_folder):
    fill(store, range(8))
    store.compact()
    delete(store, range(4))
    store.compact()
    layout = Layout(store_folder)
    before = layout.generations()
    for opened in (store, FileFeatureStore.open(store_folder)):
        for _ in range(3):
            assert opened.compact().state == "nothing"
    assert layout.generations() == before


def test_a_snapshot_taken_before_still_reads_what_was_deleted_since(store, clock):
    fill(store, range(4))
    before = store.snapshot()
    store.compact()
    delete(store, range(4))
    for step_s in (0, UNUSED_S + 1, GRACE_S + 1):
        clock.ahead_s += step_s
        store.compact()
    assert {found.path for found in before.records() if found.extracted} == {f"/{number}" for number in range(4)}
    found = before.rows(TONES.key, [content(number) for number in range(4)])
    assert all(same_rows(one, rows(TONES, number)) for number, one in enumerate(found))


def go_on(store, clock):
    """Let everything that was there be superseded and outlive the grace."""
    for number in (50, 51):
        fill(store, range(number, number + 1))
        store.compact()
    clock.ahead_s += 2 * DAY_S


def test_a_snapshot_that_is_held_can_be_read_however_long_it_takes(store, clock, store_folder):
    fill(store, range(3))
    store.compact()
    fill(store, range(3, 5))
    with store.hold() as snapshot:
        for _ in range(3):
            go_on(store, clock)
            for pin in (store_folder / "pins").iterdir():
                os.utime(pin, (time.time() + clock.ahead_s,) * 2)  # as it renews itself
            store.gc()
        found = snapshot.rows(TONES.key, [content(number) for number in range(5)])
        assert all(same_rows(one, rows(TONES, number)) for number, one in enumerate(found))
        assert {each.path for each in snapshot.records()} == {f"/{number}" for number in range(5)}
        held = parts(store_folder)
    assert list((store_folder / "pins").iterdir()) == []
    assert store.gc().manifests > 0
    assert parts(store_folder) < held
    check(store, range(5))


def test_a_pin_of_a_reader_that_died_counts_no_longer_than_a_day(store, clock, store_folder):
    fill(store, range(3))
    store.compact()
    holding = store.hold()
    holding.__enter__()
    clock.ahead_s = pins.PIN_S - 60
    go_on(store, clock)
    assert store.gc().manifests > 0
    assert list((store_folder / "pins").iterdir()) == []
    holding.__exit__(None, None, None)


def test_a_pin_is_renewed_while_it_is_held(store, store_folder):
    with pins.pin(Layout(store_folder), 0, renew_s=0.01):
        (pin,) = (store_folder / "pins").iterdir()
        os.utime(pin, (0, 0))
        deadline = time.monotonic() + 30
        while pin.stat().st_mtime == 0:
            assert time.monotonic() < deadline
    assert store.gc().manifests == 0


def test_a_collection_that_cannot_read_the_pins_collects_nothing(store, clock, store_folder):
    fill(store, range(3))
    store.compact()
    go_on(store, clock)
    (store_folder / "pins" / "torn.json").write_bytes(b"{")
    os.utime(store_folder / "pins" / "torn.json", (time.time() + clock.ahead_s,) * 2)
    before = parts(store_folder)
    with pytest.raises(OSError, match=r"torn\.json"):
        store.gc()
    assert parts(store_folder) == before
