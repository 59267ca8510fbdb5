"""What workers write of themselves, with a real broker, and what workers of older and newer versions do."""

import json

import pytest
from conditions import eventually

from pipeline.errors import UsageError
from workers.broker.heartbeats import KEPT_S, NAMES, Heartbeat, WorkerList, heartbeats, require_mounted

WRITTEN = Heartbeat(version="1.0", host="here", processes=2, queues=("extract", "store"), kept_s=KEPT_S)

ALL_VERSIONS_READ = ("version", "held", "extracts", "unseen")
"""The fields of the first form, which commands and workers of that time read."""


def write_old(client, name: str, *, version: str) -> None:
    """Write what a worker of the first form writes, for as long as it has it kept."""
    client.sadd(NAMES, name)
    document = {"version": version, "held": 2, "extracts": True, "unseen": ""}
    client.set(f"chordal:version:{name}", json.dumps(document), px=15_000)


def test_workers_are_listed_until_they_leave_or_were_silent_for_an_hour(client):
    listed = WorkerList(client)
    listed.write("extract@here", WRITTEN)
    listed.write("learn@here", WRITTEN.replace(doing="paused"))
    first, second = listed.workers()
    assert (first.name, first.alive, second.heartbeat.doing) == ("extract@here", True, "paused")
    assert first.heartbeat == WRITTEN
    listed.remove("extract@here")
    client.pexpire("chordal:version:learn@here", 3_000_000)
    [silent] = listed.workers()
    assert not silent.alive
    assert 600 <= silent.silent_s < 601
    client.pexpire("chordal:version:learn@here", 1)
    eventually(lambda: listed.workers() == [])
    assert client.smembers(NAMES) == set()


def test_a_worker_that_fell_silent_for_some_seconds_is_not_alive(client):
    WorkerList(client).write("extract@here", WRITTEN)
    assert heartbeats(client) == {"extract@here": WRITTEN}
    client.pexpire("chordal:version:extract@here", KEPT_S * 1000 - 5_000)
    assert heartbeats(client) == {"extract@here": WRITTEN}
    client.pexpire("chordal:version:extract@here", KEPT_S * 1000 - 15_000)
    assert heartbeats(client) == {}


def test_an_older_worker_is_alive_for_as_long_as_its_heartbeat_is_kept(client):
    write_old(client, "extract@attic", version="0.0.1")
    [worker] = WorkerList(client).workers()
    assert (worker.alive, worker.heartbeat.queues) == (True, ())
    client.pexpire("chordal:version:extract@attic", 1_000)
    assert heartbeats(client) == {"extract@attic": Heartbeat(version="0.0.1", held=2, extracts=True)}


def test_what_older_versions_read_stands_where_they_read_it(client):
    WorkerList(client).write("extract@here", WRITTEN.replace(held=3, extracts=True, unseen="/music is empty"))
    assert client.smembers("chordal:workers") == {"extract@here"}
    document = json.loads(client.get("chordal:version:extract@here"))
    assert [document[name] for name in ALL_VERSIONS_READ] == ["1.0", 3, True, "/music is empty"]


def test_what_a_newer_version_writes_beside_can_be_read(client):
    client.sadd(NAMES, "extract@attic")
    client.set("chordal:version:extract@attic", '{"version":"99.1","held":2,"mood":"good"}')
    assert heartbeats(client) == {"extract@attic": Heartbeat(version="99.1", held=2)}


def test_libraries_that_no_worker_sees_are_named_with_the_hosts():
    sees = Heartbeat(version="1", extracts=True)
    blind = Heartbeat(version="1", extracts=True, unseen="/music is empty at /mnt/nas")
    learner = Heartbeat(version="1")
    require_mounted({"a@one": sees, "a@two": blind, "l@one": learner})
    require_mounted({"l@one": learner})
    with pytest.raises(UsageError, match=r"library /music is empty at /mnt/nas on host two: .*--map"):
        require_mounted({"a@two": blind, "l@one": learner})
