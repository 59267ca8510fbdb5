"""Tasks that are with a worker that dies, or with two workers at once: each file is extracted, and counts once."""

import json

import brokers
import kills
import pytest
from conditions import eventually
from held import Held, end, kill

from workers.broker.priorities import queue_key

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

FILES = 5


@pytest.fixture
def held(chordal, tmp_path):
    """A run of files that are held."""
    with brokers.valkey(tmp_path / "server") as port:
        found = Held(chordal, tmp_path, port, files=FILES)
        yield found
        found.client.close()


def test_what_a_killed_worker_of_another_host_held_is_done_by_the_next(chordal, held):
    # given a worker that holds two files and two that are with it alone
    worker = held.worker("first", processes=2)
    running = held.extract()
    eventually(lambda: held.started == 2)

    # when it is killed with all its processes, and another one comes
    kill(worker)
    held.let_go()
    other = held.worker("second")

    # then the run ends without waiting for as long as a task may take
    assert held.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert "is with no worker any more, and is put back" in end(other)
    assert held.started == FILES + 2
    assert held.in_hand() == []


def test_a_task_that_is_delivered_again_while_it_runs_counts_once(chordal, held):
    # given a file in the hands of a process
    worker = held.worker("only", processes=2)
    running = held.extract()
    eventually(lambda: held.started == 2)

    # when its message is delivered to another one, as it was, twice
    [message, *_] = held.in_hand()
    queue = queue_key("extract", message["properties"]["priority"])
    for _ in range(2):
        held.client.rpush(queue, json.dumps(message))
    more = held.worker("more", processes=2)
    eventually(lambda: held.started == 4)
    held.let_go()

    # then it counts once
    assert held.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    eventually(lambda: not held.in_hand())
    assert int(held.progress()["extracted"]) == FILES
    assert int(held.client.hget("chordal:totals", "extracted")) == FILES
    assert len(kills.stored(chordal.home)) == FILES
    end(worker)
    end(more)


def test_two_runs_at_once_over_the_same_files_store_each_once(chordal, held):
    # given two commands with the same home, library and broker, and a file in the hands of both
    worker = held.worker("only", processes=2)
    first = held.extract()
    eventually(lambda: held.started == 2)
    second = held.extract()
    eventually(lambda: len(list(chordal.home.glob("runs/*/scan.json"))) == 2)
    eventually(lambda: len(held.waiting()) + len(held.in_hand()) == 2 * FILES)
    held.let_go()

    # then both end whole
    for command in (first, second):
        tracks = held.tracks(command)
        assert (tracks["scanned"], tracks["failed"]) == (FILES, 0)
        assert tracks["extracted"] + tracks["unchanged"] == FILES
    assert len(kills.stored(chordal.home)) == FILES
    assert held.started == FILES
    end(worker)
