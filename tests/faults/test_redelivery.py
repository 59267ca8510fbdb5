"""Tasks that are with a worker that dies, or with two workers at once: each file is extracted, and counts once."""

import json

import brokers
import kills
import pytest
from blocked_run import BlockedRun, end, kill
from conditions import eventually

from workers.broker.priorities import queue_key

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

FILES = 5


@pytest.fixture
def blocked_run(chordal, tmp_path):
    """A run whose files are blocked in extraction."""
    with brokers.valkey(tmp_path / "server") as port:
        run = BlockedRun(chordal, tmp_path, port, files=FILES)
        yield run
        run.client.close()


def test_what_a_killed_worker_of_another_host_held_is_done_by_the_next(chordal, blocked_run):
    # given a worker that holds two files and two that are with it alone
    worker = blocked_run.worker("first", processes=2)
    running = blocked_run.extract()
    eventually(lambda: blocked_run.starts == 2)

    # when it is killed with all its processes, and another one comes
    kill(worker)
    blocked_run.release()
    other = blocked_run.worker("second")

    # then the run ends without waiting for as long as a task may take
    assert blocked_run.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert "is with no worker any more, and is put back" in end(other)
    assert blocked_run.starts == FILES + 2
    assert blocked_run.unacknowledged() == []


def test_a_task_that_is_delivered_again_while_it_runs_counts_once(chordal, blocked_run):
    # given a process that extracts a file
    worker = blocked_run.worker("only", processes=2)
    running = blocked_run.extract()
    eventually(lambda: blocked_run.starts == 2)

    # when its message is delivered to another one, as it was, twice
    [message, *_] = blocked_run.unacknowledged()
    queue = queue_key("extract", message["properties"]["priority"])
    for _ in range(2):
        blocked_run.client.rpush(queue, json.dumps(message))
    more = blocked_run.worker("more", processes=2)
    eventually(lambda: blocked_run.starts == 4)
    blocked_run.release()

    # then it counts once
    assert blocked_run.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    eventually(lambda: not blocked_run.unacknowledged())
    assert int(blocked_run.progress()["extracted"]) == FILES
    assert int(blocked_run.client.hget("chordal:totals", "extracted")) == FILES
    assert len(kills.store_contents(chordal.home)) == FILES
    end(worker)
    end(more)


def test_two_runs_at_once_over_the_same_files_store_each_once(chordal, blocked_run):
    # given two commands with the same home, library and broker, and a file that is a task of both
    worker = blocked_run.worker("only", processes=2)
    first = blocked_run.extract()
    eventually(lambda: blocked_run.starts == 2)
    second = blocked_run.extract()
    eventually(lambda: len(list(chordal.home.glob("runs/*/scan.json"))) == 2)
    eventually(lambda: len(blocked_run.queued()) + len(blocked_run.unacknowledged()) == 2 * FILES)
    blocked_run.release()

    # then both end whole
    for command in (first, second):
        tracks = blocked_run.tracks(command)
        assert (tracks["scanned"], tracks["failed"]) == (FILES, 0)
        assert tracks["extracted"] + tracks["unchanged"] == FILES
    assert len(kills.store_contents(chordal.home)) == FILES
    assert blocked_run.starts == FILES
    end(worker)
