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
from storage.testing.samples import SPECS, features, record
from tests.storage import workloads
from tests.storage.children import received, start
from tests.storage.stores import check_whole

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


class TracedProcess:
    """One process that commits and compacts under strace."""

    def __init__(self, processes, store_folder, number, *, inject, log):
        begin_signal, signal_sender = processes.Pipe(duplex=False)
        self.process, receiver = start(processes, workloads.wait_and_work, store_folder, number, begin_signal)
        assert receiver.recv() == "ready"
        command = ["strace", "-f", "-o", str(log), "-e", f"trace={CHANGING}", "-p", str(self.process.pid)]
        tracer = subprocess.Popen([*command, *inject], stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{self.process.pid}/status")
        eventually(lambda: "TracerPid:\t0" not in status.read_text())
        signal_sender.send("begin")
        self.messages = received(receiver)
        self.process.join()
        tracer.wait(30)

    @property
    def acknowledged(self):
        return [message for message in self.messages if isinstance(message, int)]

    @property
    def failures(self):
        return [message for message in self.messages if isinstance(message, str)]


@pytest.fixture
def half_compacted(store_folder):
    store = FileFeatureStore.open(store_folder)
    store.commit(record("/0", 0), features(0), SPECS)
    store.compact()
    return store_folder


def calls_of(processes, half_compacted, tmp_path, *, among=CHANGING):
    """Return which system calls to meet: the name of each and which of its name it is, as strace counts."""
    log = tmp_path / "calls"
    whole = TracedProcess(processes, half_compacted, 1, inject=[], log=log)
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


def test_a_kill_at_any_system_call_loses_nothing_that_was_acknowledged(half_compacted, tmp_path, processes):
    acknowledged = [0, 1, 2]
    killed = 0
    calls = calls_of(processes, half_compacted, tmp_path)
    for step, (name, at) in enumerate(calls, start=1):
        inject = ["-e", f"inject={name}:signal=SIGKILL:when={at}"]
        traced = TracedProcess(processes, half_compacted, 10 * step, inject=inject, log="/dev/null")
        killed += traced.process.exitcode == -signal.SIGKILL
        acknowledged += traced.acknowledged
        check_whole(half_compacted, acknowledged)
    # A compaction makes more or fewer calls than the one that was counted, as it has more or fewer parts to merge.
    assert killed > len(calls) * 0.7


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_an_error_at_any_system_call_is_one_clear_failure_and_leaves_the_store_whole(
    half_compacted, tmp_path, processes, error
):
    acknowledged = [0, 1, 2]
    failures = 0
    calls = calls_of(processes, half_compacted, tmp_path, among="write,fsync,rename,link,mkdir,ftruncate")
    for step, (name, at) in enumerate(calls, start=1):
        inject = ["-e", f"inject={name}:error={error}:when={at}"]
        traced = TracedProcess(processes, half_compacted, 10 * step, inject=inject, log="/dev/null")
        assert traced.process.exitcode == 0, traced.messages
        assert len(traced.failures) <= 1
        assert all("\n" not in failure and "cannot be" in failure for failure in traced.failures), traced.failures
        failures += len(traced.failures)
        acknowledged += traced.acknowledged
        check_whole(half_compacted, acknowledged)
    # Some calls are those of the test's own pipe.
    assert failures > len(calls) * 0.5
