"""A broker of the user's own, with workers that were started by hand."""

import signal

import brokers
import pytest
import redis
from conditions import eventually
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def server(tmp_path):
    """A server on a loopback port."""
    with brokers.valkey(tmp_path / "server") as port:
        yield f"redis://127.0.0.1:{port}/0"


def test_a_run_uses_the_workers_attached_to_the_users_broker(chordal, tmp_path, server):
    # given two workers started by hand
    library = tmp_path / "library"
    total = write_classes(library, per_class=4)
    workers = [
        chordal.start("worker", "--queues", queues, "--concurrency", "1", CHORDAL_BROKER=server)
        for queues in ("extract,store", "tune,train")
    ]

    # when
    told = chordal("run", library, "--recipe", chordal.recipe, "--broker", server, "--json")

    # then the run ends, and leaves the workers alone
    assert told.status == 0, told.err
    assert told.json["tracks"]["extracted"] == total
    assert told.json["trials"]["completed"] == 2
    assert [process.poll() for process in workers] == [None, None]
    # and leaves no receipt of a file in the broker
    client = redis.Redis.from_url(server)
    assert list(client.scan_iter("celery-task-meta-*")) == []
    client.close()
    for process in workers:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(120) for process in workers] == [0, 0]
    for process in workers:
        process.communicate()


def test_a_run_starts_workers_on_the_users_broker_when_asked_to(chordal, tmp_path, server):
    library = tmp_path / "library"
    total = write_classes(library, per_class=2)
    told = chordal("extract", library, "--recipe", chordal.recipe, "--broker", server, "--workers", "1", "--json")
    assert told.status == 0, told.err + chordal.logs()
    assert told.json["tracks"]["extracted"] == total
    assert chordal.live_processes() == []


def test_a_stopped_run_takes_its_tasks_back(chordal, tmp_path, server):
    library = tmp_path / "library"
    write_classes(library, per_class=2)
    running = chordal.start("extract", library, "--recipe", chordal.recipe, "--broker", server)
    eventually(lambda: list(chordal.home.glob("runs/*/scan.json")))
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    # a worker that comes later finds them cancelled
    later = chordal("extract", library, "--recipe", chordal.recipe, "--broker", server, "--workers", "1", "--json")
    assert later.status == 0, later.err
    assert later.json["tracks"]["failed"] == 0
