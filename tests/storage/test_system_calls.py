"""The real system calls of a commit and a compaction, HDF5's own among them: a kill and an error at each, by strace.

Without strace, or without the right to trace, the tests of `test_processes` and `test_faults` stand in: they meet every
call that Python makes. CHORDAL_TEST_KILLS=200 meets every single call; otherwise a sample spread over all of them.
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conditions import eventually

from storage import FileFeatureStore
from storage.testing.samples import SPECS, content, features, record, rows, same_rows
from tests.storage import workloads

CHANGING = (
    "openat,creat,write,pwrite64,pwritev,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,"
    "mkdir,mkdirat,ftruncate"
)
SAMPLED = 12


def traceable() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True)
    return tried.returncode == 0


pytestmark = pytest.mark.skipif(not traceable(), reason="there is no strace, or it may not trace")


class Traced:
    """One process that commits and compacts under strace."""

    def __init__(self, processes, home, number, *, inject, log):
        listening, telling = processes.Pipe(duplex=False)
        going, go = processes.Pipe(duplex=False)
        self.process = processes.Process(
            target=workloads.wait_and_work, args=(home, number, going, telling), daemon=True
        )
        self.process.start()
        telling.close()
        assert listening.recv() == "ready"
        command = ["strace", "-f", "-o", str(log), "-e", f"trace={CHANGING}", "-p", str(self.process.pid)]
        tracer = subprocess.Popen([*command, *inject], stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{self.process.pid}/status")
        eventually(lambda: "TracerPid:\t0" not in status.read_text())
        go.send("go")
        self.told = []
        try:
            while True:
                self.told.append(listening.recv())
        except EOFError:
            pass
        self.process.join()
        tracer.wait(30)

    @property
    def acknowledged(self):
        return [told for told in self.told if isinstance(told, int)]

    @property
    def failures(self):
        return [told for told in self.told if isinstance(told, str)]


def check_whole(home, numbers):
    store = FileFeatureStore.open(home)
    snapshot = store.snapshot()
    told = {found.path: found for found in snapshot.records()}
    assert len(told) == len(snapshot)
    assert {f"/{number}" for number in numbers} <= told.keys()
    there = sorted(int(path[1:]) for path in told)
    for key, family in SPECS.items():
        found = snapshot.rows(key, [content(number) for number in there])
        assert all(same_rows(one, rows(family, number)) for number, one in zip(there, found, strict=True))
    assert store.verify().damages == ()


@pytest.fixture
def begun(home):
    store = FileFeatureStore.open(home)
    store.commit(record("/0", 0), features(0), SPECS)
    store.compact()
    return home


def calls_of(processes, begun, tmp_path, *, among=CHANGING):
    """Return which system calls to meet: the name of each and which of its name it is, as strace counts."""
    log = tmp_path / "calls"
    whole = Traced(processes, begun, 1, inject=[], log=log)
    assert whole.acknowledged == [1, 2]
    counts: Counter[str] = Counter()
    every = []
    for name, arguments in re.findall(r"^\d+\s+(\w+)\((.*)", log.read_text(), re.MULTILINE):
        counts[name] += 1
        # Most files are opened to be looked at only, which changes nothing.
        if name in among.split(",") and (name != "openat" or "O_CREAT" in arguments):
            every.append((name, counts[name]))
    assert {"fsync", "openat", "rename", "write"} <= counts.keys()
    return every if "CHORDAL_TEST_KILLS" in os.environ else every[:: max(1, len(every) // SAMPLED)]


def test_a_kill_at_any_system_call_loses_nothing_that_was_acknowledged(begun, tmp_path, processes):
    acknowledged = [0, 1, 2]
    killed = 0
    calls = calls_of(processes, begun, tmp_path)
    for step, (name, at) in enumerate(calls, start=1):
        inject = ["-e", f"inject={name}:signal=SIGKILL:when={at}"]
        traced = Traced(processes, begun, 10 * step, inject=inject, log="/dev/null")
        killed += traced.process.exitcode == -signal.SIGKILL
        acknowledged += traced.acknowledged
        check_whole(begun, acknowledged)
    # A compaction makes more or fewer calls than the one that was counted, as it has more or fewer parts to merge.
    assert killed > len(calls) * 0.7


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_an_error_at_any_system_call_is_one_clear_failure_and_leaves_the_store_whole(begun, tmp_path, processes, error):
    acknowledged = [0, 1, 2]
    failures = 0
    calls = calls_of(processes, begun, tmp_path, among="write,fsync,rename,link,mkdir,ftruncate")
    for step, (name, at) in enumerate(calls, start=1):
        inject = ["-e", f"inject={name}:error={error}:when={at}"]
        traced = Traced(processes, begun, 10 * step, inject=inject, log="/dev/null")
        assert traced.process.exitcode == 0, traced.told
        assert len(traced.failures) <= 1
        assert all("\n" not in told and "cannot be" in told for told in traced.failures), traced.failures
        failures += len(traced.failures)
        acknowledged += traced.acknowledged
        check_whole(begun, acknowledged)
    # Some calls are our own, as when a number is told.
    assert failures > len(calls) * 0.5
