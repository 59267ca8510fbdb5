"""What the processes of the tests do; imported by them, so nothing here knows pytest."""

import itertools
import os
import resource
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import StoreError, UsageError
from storage import Champions, FileFeatureStore, ModelRegistry, RunLedger, durable
from storage.testing.samples import SPECS, features, record


def write(home: Path, numbers: range, acknowledged) -> None:
    """Commit one track per number and acknowledge each that was stored, in order."""
    store = FileFeatureStore.open(home)
    for number in numbers:
        store.commit(record(f"/{number}", number), features(number), SPECS)
        acknowledged.send(number)
    acknowledged.close()


def compact_until(home: Path, over) -> None:
    """Compact again and again until told that it is over."""
    store = FileFeatureStore.open(home)
    while not over.is_set():
        store.compact()


def write_for_ever(home: Path, begin: int, acknowledged) -> None:
    """Commit until killed; acknowledge what was stored."""
    store = FileFeatureStore.open(home)
    for number in itertools.count(begin):
        store.commit(record(f"/{number}", number), features(number), SPECS)
        acknowledged.send(number)


def compact_for_ever(home: Path, _begin: int, acknowledged) -> None:
    """Compact and collect until killed; tell after each that it was done."""
    store = FileFeatureStore.open(home)
    while True:
        store.compact()
        store.gc()
        acknowledged.send(None)


def write_on_a_small_disk(home: Path, limit_bytes: int, told) -> None:
    """Meet a file that cannot grow as on a full disk, then find room again."""
    # Python ignores SIGXFSZ already; said here so that the test does not rest on it.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = FileFeatureStore.open(home)
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
    left = sorted(path.name for path in (home / "tmp").iterdir())
    again = store.commit(record("/big", 2), features(2, n=20_000), SPECS)
    told.send((reasons, left, again, store.compact().state, len(store.snapshot())))


def open_as_nobody(home: Path, told) -> None:
    """Open a store without root's right to write anywhere; tell what that gave."""
    if os.geteuid() == 0:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        FileFeatureStore.open(home)
        told.send("opened")
    except UsageError as error:
        told.send(str(error))


def claim(home: Path, start, told) -> None:
    """Wait for the others, then try to take every step; tell which were ours."""
    ledger = RunLedger(home)
    start.wait()
    told.send([number for number in range(20) if ledger.claim("run", f"step-{number}")])


def register(home: Path, draft, source: Path, start, told) -> None:
    """Wait for the others, then register a model; tell its version."""
    registry = ModelRegistry(home)
    start.wait()
    try:
        told.send(registry.register(draft, source).version)
    except (StoreError, UsageError) as error:
        told.send(repr(error))


def promote(home: Path, version: str, start, told) -> None:
    """Wait for the others, then make a version the champion; tell the number of the entry."""
    start.wait()
    told.send(Champions(home).promote(version).number)


def roll_back(home: Path, start, told) -> None:
    """Wait for the others, then go back to the champion before; tell which that is."""
    start.wait()
    try:
        told.send(Champions(home).rollback().version)
    except UsageError as error:
        told.send(str(error))


def write_half(path: Path, *pieces: bytes | memoryview) -> None:
    """Write the first half of a file."""
    data = b"".join(pieces)
    path.write_bytes(data[: len(data) // 2])


def die_at(home: Path, step: int, acknowledged) -> None:
    """Commit and compact; be killed before system call number `step`, or in the middle of it where it writes."""
    steps = itertools.count()

    def killing(call, half):
        def counted(*arguments, **options):
            if next(steps) == step:
                half(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return counted

    store = FileFeatureStore.open(home)
    for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "hardlink_to"), (Path, "unlink"), (Path, "mkdir")):
        setattr(owner, name, killing(getattr(owner, name), lambda *_: None))
    durable.write_whole = killing(durable.write_whole, write_half)
    begin = 10 * step
    for number in range(begin, begin + 4):
        store.commit(record(f"/{number}", number), features(number), SPECS)
        acknowledged.send(number)
        if number % 2:
            store.compact()
    acknowledged.send("survived")


def wait_and_work(home: Path, number: int, going, told) -> None:
    """Wait for a sign, then commit two tracks and compact; tell the numbers that were stored, and errors in words."""
    store = FileFeatureStore.open(home)
    # What is read or made for the first time is done with before anybody looks.
    features(number)
    told.send("ready")
    going.recv()
    for each in (number, number + 1):
        with _telling(told):
            store.commit(record(f"/{each}", each), features(each), SPECS)
            _tell(told, each)
    with _telling(told):
        store.compact()


@contextmanager
def _telling(told):
    try:
        yield
    except StoreError as error:
        _tell(told, str(error))


def _tell(told, what):
    with suppress(OSError):  # the one write that fails may be this one
        told.send(what)
        return
    told.send(what)
