import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis
from conditions import eventually

from workers.broker import embedded, health
from workers.processes.cluster import local_cluster

pytestmark = pytest.mark.slow


def servers(data: Path) -> list[psutil.Process]:
    """Return the live processes whose command line names a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if str(data) in " ".join(process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_nothing_is_left_when_a_session_ends(tmp_path):
    (tmp_path / "logs").mkdir()
    with local_cluster(tmp_path, None, 0) as running:
        health.require(running.broker)
        assert servers(tmp_path)
    assert servers(tmp_path) == []


def test_a_killed_server_is_started_again_with_its_queues(running, tmp_path):
    client = running.broker.client()
    client.rpush("extract", "a task")
    eventually(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0)
    [server] = [process for process in servers(tmp_path) if "valkey" in process.name()]
    server.send_signal(signal.SIGKILL)
    eventually(lambda: running.broker.client().llen("extract") == 1, ignoring=(redis.RedisError,))


def test_a_server_left_behind_by_a_killed_guard_is_found(tmp_path):
    (tmp_path / "logs").mkdir()
    data = tmp_path / "broker"
    with local_cluster(tmp_path, None, 0):
        [server] = [process for process in servers(data) if "valkey" in process.name()]
        [guard] = [process for process in servers(data) if "valkey" not in process.name()]
        guard.kill()
        guard.wait(60)
        assert server.is_running()
        embedded.clean(data)
        assert not server.is_running()
        assert list(data.iterdir()) == []


def test_a_session_ends_with_a_parent_that_was_killed(tmp_path):
    (tmp_path / "logs").mkdir()
    code = f"""
import os
from pathlib import Path
from workers.processes.cluster import local_cluster
with local_cluster(Path({str(tmp_path)!r}), None, 0) as running:
    print("up", flush=True)
    os.read(0, 1)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout.readline() == b"up\n"
    assert servers(tmp_path)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    eventually(lambda: servers(tmp_path) == [])


def test_a_home_too_deep_for_a_socket_gets_a_short_one(tmp_path):
    home = tmp_path / ("deep" * 10) / ("deeper" * 10)
    (home / "logs").mkdir(parents=True)
    with local_cluster(home, None, 0) as running:
        health.require(running.broker)
        folder = Path(running.broker.url.removeprefix("redis+socket://")).parent
        assert not folder.is_relative_to(home)
    assert not folder.exists()
