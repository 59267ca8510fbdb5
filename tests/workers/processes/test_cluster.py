"""The broker and workers of one run."""

import pytest
from conditions import eventually

from pipeline.errors import BrokerError, ChordalError, UsageError
from workers.broker import embedded
from workers.broker.address import BrokerAddress
from workers.processes.child import Child
from workers.processes.cluster import LocalCluster, local_cluster
from workers.processes.death import Death

NOWHERE = BrokerAddress(url="redis://127.0.0.1:1/0")
"""Nobody answers there."""


def test_with_a_broker_of_the_users_nothing_is_started_or_asked(tmp_path):
    with local_cluster(tmp_path, NOWHERE, None) as running:
        assert running.broker == NOWHERE
        assert running.children == ()
        assert not running.has_workers


def cluster(tmp_path, code: str) -> LocalCluster:
    """Return a cluster of one worker that runs some code."""
    child = Child("extract", [], tmp_path / "extract.log", program=("-c", code)).start()
    return LocalCluster(NOWHERE, [child], [child])


def deaths(running: LocalCluster) -> list[Death]:
    """Wait until the worker is dead, and heal the cluster."""
    eventually(running.deaths)
    return running.heal()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("raise OSError(30, 'Read-only file system')", ChordalError, "OSError: [Errno 30] Read-only file system"),
        ("import sys; print('chordal: queues x: none'); sys.exit(2)", UsageError, "queues x: none"),
        ("import sys; sys.exit(3)", ChordalError, "exit status 3"),
    ],
)
def test_what_dies_twice_the_same_way_before_it_was_ready_is_given_up_with_the_reason(tmp_path, code, kind, reason):
    running = cluster(tmp_path, code)
    assert [str(death.reason) for death in deaths(running)] == [reason]
    with pytest.raises(ChordalError) as caught:
        deaths(running)
    assert type(caught.value) is kind
    assert str(caught.value).endswith(f"({reason}); see {tmp_path / 'extract.log'}")
    running.stop()


@pytest.mark.slow
def test_what_was_ready_is_started_again_as_often_as_it_dies(tmp_path):
    running = cluster(tmp_path, "from workers.processes.child import report_ready; report_ready(); 1 / 0")
    for _ in range(4):
        assert [death.was_ready for death in deaths(running)] == [True]
    running.stop()


@pytest.mark.slow
def test_an_embedded_broker_that_cannot_start_is_given_up_at_once_with_the_reason(tmp_path, monkeypatch):
    (tmp_path / "logs").mkdir()
    monkeypatch.setattr(embedded, "socket_path", lambda data: data / "nowhere" / "valkey.sock")
    with pytest.raises(BrokerError, match=r"did not start \(its server ended with status 1.*[Nn]o such file") as caught:
        local_cluster(tmp_path, None, 0).__enter__()
    assert str(tmp_path / "logs" / "broker.log") in str(caught.value)
