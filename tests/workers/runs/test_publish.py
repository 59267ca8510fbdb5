"""A shard's chord and its back-pressure, on a real broker without workers."""

import base64
import json
from contextlib import contextmanager

import pytest
from celery.app.task import Context as Request
from conditions import eventually

from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from workers.app import canvas
from workers.app.celery import app
from workers.app.context import Context
from workers.app.settings import QUEUES, Settings
from workers.broker.priorities import body_priority, header_priority, queue_key
from workers.broker.queues import Queues
from workers.extraction import orders, seal
from workers.runs import publish
from workers.runs.publish import Publisher


@pytest.fixture
def client(empty_broker):
    """A client of an empty broker that the application publishes to."""
    return empty_broker.client()


@pytest.fixture
def home(tmp_path, empty_broker, client, plan) -> Context:
    """A home with a run that learns."""
    home = Context(Settings(home=str(tmp_path), broker=empty_broker))
    home.ledger.create(plan)
    return home


def tracks(first: int, count: int) -> list[ScannedTrack]:
    return [
        ScannedTrack(
            track_id=track_id(f"/music/{number}.wav"),
            path=f"/music/{number}.wav",
            stamp=FileStamp(size_bytes=1, mtime_ns=number),
        )
        for number in range(first, first + count)
    ]


def messages(client, queue: str, priority: int) -> list[dict]:
    """Return the headers and options of the tasks that wait in a queue, oldest first."""
    waiting = [json.loads(each) for each in reversed(client.lrange(queue_key(queue, priority), 0, -1))]
    return [
        {**each["headers"], **json.loads(base64.b64decode(each["body"]))[2], "priority": each["properties"]["priority"]}
        for each in waiting
    ]


def test_a_shard_is_sealed_when_each_of_its_files_has_arrived_once(client, home, plan):
    # given a shard of three files in the queue
    canvas.publish_shard(plan, 0, orders.orders(plan, 0, tracks(0, 3)))
    waiting = messages(client, "extract", header_priority(plan.priority))
    assert [each["argsrepr"] for each in waiting] == [f"(/music/{number}.wav, mfcc_mean)" for number in range(3)]
    assert {each["kwargsrepr"] for each in waiting} == {"{'run_id': 'r1', 'shard': 0}"}

    # when one is delivered twice, then the others
    def arrive(number: int, result: str) -> None:
        app.backend.mark_as_done(waiting[number]["id"], result, Request(waiting[number]), store_result=False)

    def sealing_tasks() -> list[str]:
        return [each["argsrepr"] for each in messages(client, "store", body_priority(plan.priority))]

    arrive(0, "extracted")
    arrive(0, "unchanged")
    arrive(1, "failed")
    assert sealing_tasks() == []
    arrive(2, "extracted")
    arrive(1, "unchanged")
    # then the shard is sealed once, and nothing of the files stays in the broker
    assert sealing_tasks() == ["(shard 0)"]
    assert not [key for key in client.scan_iter() if waiting[0]["group"] in key and client.get(key) != '"done"'][1:]


@contextmanager
def publishing(context, plan):
    publisher = Publisher(context, plan)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()


def test_no_more_is_published_than_the_bound_also_when_a_sweep_asks_for_it_again(client, home, plan, monkeypatch):
    # given ten shards of five, and a bound of twelve
    monkeypatch.setattr(publish, "QUEUE_BOUND", 12)
    for shard in range(10):
        home.ledger.write_shard(plan.run_id, shard, tracks(5 * shard, 5))
    home.ledger.close_scan(plan.run_id, 10)
    queues = Queues(client)

    def is_filled() -> bool:
        return queues.queued(QUEUES) == 15

    with publishing(home, plan) as publisher:
        # when nobody works, then it waits
        eventually(is_filled)
        assert publisher.is_alive
    # and goes on where the last one ended
    for shard in range(3):
        home.ledger.seal(plan.run_id, seal.ShardSummary(shard=shard, failed=5))
    client.flushall()
    with publishing(home, plan) as publisher:
        eventually(is_filled)
        client.flushall()
        eventually(is_filled)
        client.flushall()
        eventually(lambda: not publisher.is_alive)
        assert queues.queued(QUEUES) == 5
        client.flushall()
        # and does it all again when it was lost
        publisher.start()
        eventually(is_filled)


def test_a_run_of_which_all_is_known_starts_learning_once_without_a_file(client, home, plan):
    home.ledger.write_shard(plan.run_id, 0, tracks(0, 5))
    home.ledger.close_scan(plan.run_id, 1)
    home.ledger.seal(plan.run_id, seal.ShardSummary(shard=0, unchanged=5))
    for _ in range(2):
        with publishing(home, plan) as publisher:
            eventually(lambda: not publisher.is_alive)
    assert Queues(client).depths(QUEUES) == {"extract": 0, "store": 0, "tune": 1, "train": 0}
