"""The work of the child processes of tests; they import this module, so it does not import pytest."""

import itertools
import os
import resource
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import StoreError, UsageError
from storage import Champions, FileFeatureStore, ModelRegistry, RunLedger, durable
from storage.testing.samples import SPECS, features, record


def write(store_folder: Path, numbers: range, results) -> None:
    """Commit one track per number and send each number that was stored, in order."""
    store = FileFeatureStore.open(store_folder)
    for number in numbers:
        store.commit(record(f"/{number}", number), features(number), SPECS)
        results.send(number)
    results.close()


def compact_until(store_folder: Path, ended) -> None:
    """Compact again and again until an event is set."""
    store = FileFeatureStore.open(store_folder)
    while not ended.is_set():
        store.compact()


def write_for_ever(store_folder: Path, begin: int, results) -> None:
    """Commit until killed; send each number that was stored."""
    store = FileFeatureStore.open(store_folder)
    for number in itertools.count(begin):
        store.commit(record(f"/{number}", number), features(number), SPECS)
        results.send(number)


def compact_for_ever(store_folder: Path, _begin: int, results) -> None:
    """Compact and collect until killed; send None after each pass."""
    store = FileFeatureStore.open(store_folder)
    while True:
        store.compact()
        store.gc()
        results.send(None)


def write_on_a_small_disk(store_folder: Path, limit_bytes: int, results) -> None:
    """Meet a file that cannot grow as on a full disk, then find room again."""
    # Python ignores SIGXFSZ already; said here so that the test does not rest on it.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = FileFeatureStore.open(store_folder)
    store.commit(record("/before", 1), features(1), SPECS)
    free = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, free[1]))
    reasons = []
    for step in (lambda: store.commit(record("/big", 2), features(2, n=20_000), SPECS), store.compact):
        try:
            step()
        except StoreError as error:
            reasons.append(str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, free)
    left = sorted(path.name for path in (store_folder / "tmp").iterdir())
    again = store.commit(record("/big", 2), features(2, n=20_000), SPECS)
    results.send((reasons, left, again, store.compact().state, len(store.snapshot())))


def open_as_nobody(store_folder: Path, results) -> None:
    """Open a store without root's right to write anywhere; send the result."""
    if os.geteuid() == 0:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        FileFeatureStore.open(store_folder)
        results.send("opened")
    except UsageError as error:
        results.send(str(error))


def claim(home: Path, start, results) -> None:
    """Wait for the others, then claim every step; send those that this process got."""
    ledger = RunLedger(home)
    start.wait()
    results.send([number for number in range(20) if ledger.claim("run", f"step-{number}")])


def register(home: Path, draft, source: Path, start, results) -> None:
    """Wait for the others, then register a model; send its version."""
    registry = ModelRegistry(home)
    start.wait()
    try:
        results.send(registry.register(draft, source).version)
    except (StoreError, UsageError) as error:
        results.send(repr(error))


def promote(home: Path, version: str, start, results) -> None:
    """Wait for the others, then make a version the champion; send the number of the entry."""
    start.wait()
    results.send(Champions(home).promote(version).number)


def roll_back(home: Path, start, results) -> None:
    """Wait for the others, then go back to the champion before; send its version."""
    start.wait()
    try:
        results.send(Champions(home).rollback().version)
    except UsageError as error:
        results.send(str(error))


def write_half(path: Path, *pieces: bytes | memoryview) -> None:
    """Write the first half of a file."""
    data = b"".join(pieces)
    path.write_bytes(data[: len(data) // 2])


def die_at(store_folder: Path, step: int, results) -> None:
    """Commit and compact; be killed before system call number `step`, or in the middle of it where it writes."""
    steps = itertools.count()

    def killing(call, half):
        def counted(*arguments, **options):
            if next(steps) == step:
                half(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return counted

    store = FileFeatureStore.open(store_folder)
    for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "hardlink_to"), (Path, "unlink"), (Path, "mkdir")):
        setattr(owner, name, killing(getattr(owner, name), lambda *_: None))
    durable.write_whole = killing(durable.write_whole, write_half)
    begin = 10 * step
    for number in range(begin, begin + 4):
        store.commit(record(f"/{number}", number), features(number), SPECS)
        results.send(number)
        if number % 2:
            store.compact()
    results.send("survived")


def wait_and_work(store_folder: Path, number: int, begin_signal, results) -> None:
    """Wait for a message, then commit two tracks and compact; send the numbers that were stored, and error messages."""
    store = FileFeatureStore.open(store_folder)
    # What is imported or compiled at its first use, is so before the system calls are traced.
    features(number)
    results.send("ready")
    begin_signal.recv()
    for each in (number, number + 1):
        with _send_errors(results):
            store.commit(record(f"/{each}", each), features(each), SPECS)
            _send(results, each)
    with _send_errors(results):
        store.compact()


@contextmanager
def _send_errors(results):
    try:
        yield
    except StoreError as error:
        _send(results, str(error))


def _send(results, what):
    with suppress(OSError):  # the one write that fails may be this one
        results.send(what)
        return
    results.send(what)
