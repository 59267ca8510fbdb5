"""Real processes write, compact and die; what was acknowledged is never lost."""

import itertools
import os
import random
import signal
from multiprocessing.connection import wait

import pytest

from storage import FileFeatureStore
from storage.testing.samples import SPECS, TONES, content, features, record, rows, same_rows
from tests.storage import workloads
from tests.storage.children import received, start

pytestmark = pytest.mark.slow


def check_readable(store, numbers):
    """Check that every number is stored, and that whatever is there can be read."""
    snapshot = store.snapshot()
    by_path = {found.path: found for found in snapshot.records()}
    assert len(by_path) == len(snapshot)
    assert set(numbers) <= {int(path[1:]) for path in by_path}
    stored = sorted(int(path[1:]) for path in by_path)
    for number, found in zip(stored, snapshot.rows(TONES.key, [content(n) for n in stored]), strict=True):
        assert by_path[f"/{number}"] == record(f"/{number}", number)
        assert same_rows(found, rows(TONES, number))
    assert not list((store.path / "damaged").iterdir())


def test_two_writers_and_two_compactors_lose_nothing_while_a_reader_looks(store_folder, processes):
    FileFeatureStore.open(store_folder)
    ended = processes.Event()
    compactors = [
        processes.Process(target=workloads.compact_until, args=(store_folder, ended), daemon=True) for _ in range(2)
    ]
    for process in compactors:
        process.start()
    writers = [start(processes, workloads.write, store_folder, numbers) for numbers in (range(60), range(40, 100))]
    store = FileFeatureStore.open(store_folder)
    acknowledged = set()
    open_ends = [receiver for _, receiver in writers]
    while open_ends:
        for ready in wait(open_ends):
            try:
                acknowledged.add(ready.recv())
            except EOFError:
                open_ends.remove(ready)
        if len(acknowledged) % 10 == 0:
            check_readable(store, set(acknowledged))
    ended.set()
    for process in [*compactors, *(process for process, _ in writers)]:
        process.join(60)
        assert process.exitcode == 0
    assert acknowledged == set(range(100))
    check_readable(store, acknowledged)
    store.compact()
    check_readable(FileFeatureStore.open(store_folder), acknowledged)


def test_random_kills_of_two_writers_and_a_compactor_lose_double_and_break_nothing(store_folder, processes):
    # CHORDAL_TEST_KILLS=200 runs the long version.
    kills = int(os.environ.get("CHORDAL_TEST_KILLS", "24"))
    FileFeatureStore.open(store_folder)
    chance = random.Random(7)
    acknowledged = []
    running = {}

    def start_role(role):
        workload = workloads.compact_for_ever if role == "compactor" else workloads.write_for_ever
        begin = 1_000_000 * len(roles)
        roles.append(role)
        running[role] = start(processes, workload, store_folder, begin)

    roles = []
    for role in ("writer", "other writer", "compactor"):
        start_role(role)
    for kill in range(kills):
        role = chance.choice(sorted(running))
        process, receiver = running[role]
        # A random moment, counted in what was done and in a fraction of that, as the kill meets the process at work.
        acknowledged += [receiver.recv() for _ in range(1 + chance.randrange(6 if "writer" in role else 2))]
        receiver.poll(chance.random() * 0.02)
        process.kill()
        acknowledged += received(receiver)
        process.join()
        if kill % 20 == 10:
            check_readable(
                FileFeatureStore.open(store_folder), {number for number in acknowledged if number is not None}
            )
        start_role(role)
    for process, receiver in running.values():
        process.kill()
        acknowledged += received(receiver)
        process.join()
    numbers = {number for number in acknowledged if number is not None}
    assert len(numbers) > kills
    store = FileFeatureStore.open(store_folder)
    check_readable(store, numbers)
    store.compact()
    check_readable(store, numbers)
    report = store.verify()
    assert report.damages == ()
    assert report.segments == 0
    assert store.commit(record("/999999999", 999_999_999), features(999_999_999), SPECS) is True


def test_a_kill_at_every_step_of_commit_and_compaction_loses_nothing(store_folder, processes):
    store = FileFeatureStore.open(store_folder)
    acknowledged = []
    for step in itertools.count():
        process, receiver = start(processes, workloads.die_at, store_folder, step)
        messages = received(receiver)
        process.join()
        acknowledged += [number for number in messages if number != "survived"]
        check_readable(store, acknowledged)
        if "survived" in messages:
            break
        assert process.exitcode == -signal.SIGKILL
    assert step > 40
    store.compact()
    check_readable(store, acknowledged)


def test_a_full_disk_leaves_no_half_file_and_a_usable_store(store_folder, processes):
    process, receiver = start(processes, workloads.write_on_a_small_disk, store_folder, 3_000)
    (result,) = received(receiver)
    process.join()
    reasons, left, again, state, tracks = result
    assert process.exitcode == 0
    assert len(reasons) == 2
    assert all(str(store_folder) in reason and "File too large" in reason for reason in reasons)
    assert left == []
    assert (again, state, tracks) == (True, "compacted", 2)
    store = FileFeatureStore.open(store_folder)
    (found,) = store.snapshot().rows(TONES.key, [content(2)])
    assert same_rows(found, rows(TONES, 2, n=20_000))
