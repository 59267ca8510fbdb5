"""What Flower knows of tasks and workers: settled by the ledger, and kept in a file that may be broken."""

import asyncio
import shelve
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tornado.ioloop import IOLoop

from pipeline.plans.run import ShardSummary
from storage.home import Home
from workers.app import task_names
from workers.schedule.nights import Attempt, Nights
from workers.service.flower_history import FRESH_S, FlowerHistory

OPTIONS = SimpleNamespace(persistent=True, enable_events=False, state_save_interval=0, max_workers=100, max_tasks=100)
SLOT = "2026-07-24T01:00:00+00:00"


def opened(folder: Path) -> FlowerHistory:
    return FlowerHistory(Home(folder), io_loop=IOLoop.current(), options=OPTIONS)


def hear(history: FlowerHistory, kind: str, uuid: str = "t1", **fields) -> None:
    """Take an event as a worker sends it that is gone since."""
    sent_s = time.time() - 2 * FRESH_S
    history.state.event(
        {"type": kind, "uuid": uuid, "hostname": "extract@studio", "timestamp": sent_s, "local_received": sent_s,
         "clock": 1, "freq": 2, "pid": 1, **fields}
    )  # fmt: skip


def in_a_loop(work):
    """Run a test's steps in an event loop, as Flower's are."""

    async def steps():
        return await work()

    return asyncio.run(steps())


def test_a_task_whose_end_was_not_heard_is_ended_by_the_ledger_and_its_worker_stays_away(tmp_path, plan):
    async def steps() -> None:
        # given a task that was started before the broker and its worker went away
        history = opened(tmp_path)
        shown = {"name": task_names.EXTRACT_TRACK, "args": "(/music/1.wav, mfcc)"}
        hear(history, "worker-heartbeat")
        hear(history, "task-received", kwargs="{'run_id': 'r1', 'shard': 0}", **shown)
        hear(history, "task-started")
        ledger = Home(tmp_path).ledger
        ledger.create(plan)
        ledger.write_shard("r1", 0, [])
        await history.settle()
        task = history.state.tasks["t1"]
        assert task.state == "STARTED"
        # when its shard is sealed
        ledger.close_scan("r1", 1)
        ledger.seal("r1", ShardSummary(shard=0, extracted=1))
        await history.settle()
        # then
        assert (task.state, task.result) == ("SUCCESS", "settled: shard 0 is sealed (by the ledger)")
        assert not history.state.workers["extract@studio"].alive
        assert history.state.search_engine.matching_ids("kwargs:run_id=r1 kwargs:shard=0 state:SUCCESS") == {"t1"}
        # and an event that comes still replaces it
        hear(history, "task-succeeded", result="extracted, 3.0 s of audio", runtime=1.0)
        assert task.result == "extracted, 3.0 s of audio"

    in_a_loop(steps)


def test_a_task_of_which_something_was_just_heard_is_left_alone(tmp_path):
    async def steps() -> None:
        history = opened(tmp_path)
        kwargs = "{'run_id': 'gone', 'shard': 0}"
        hear(history, "task-received", name=task_names.EXTRACT_TRACK, kwargs=kwargs, timestamp=time.time())
        await history.settle()
        assert history.state.tasks["t1"].state == "RECEIVED"

    in_a_loop(steps)


def test_a_night_is_found_by_the_run_that_it_became(tmp_path):
    async def steps() -> None:
        history = opened(tmp_path)
        hear(history, "task-received", name=task_names.NIGHTLY, kwargs=repr({"slot": SLOT, "missed": False}))
        Nights(tmp_path).begin(datetime.fromisoformat(SLOT), 1, Attempt(run_id="r7", host="h", pid=1, started=SLOT))
        await history.settle()
        assert history.state.search_engine.matching_ids("kwargs:run_id=r7") == {"t1"}
        assert history.state.tasks["t1"].kwargs.startswith("{'run_id': 'r7', ")  # what is long is cut off
        assert history.state.tasks["t1"].state == "RECEIVED"

    in_a_loop(steps)


def saved(folder: Path) -> None:
    async def steps() -> None:
        history = opened(folder)
        hear(history, "task-received", name="a task")
        history.save_state()

    in_a_loop(steps)


def test_the_history_of_before_is_loaded(tmp_path):
    saved(tmp_path)

    async def steps() -> None:
        assert opened(tmp_path).state.tasks["t1"].name == "a task"

    in_a_loop(steps)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_history_that_was_cut_off_is_set_aside_and_begun_anew(tmp_path, share):
    saved(tmp_path)
    for path in (tmp_path / "flower").iterdir():
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    async def steps() -> None:
        history = opened(tmp_path)
        assert len(history.state.tasks) == 0
        hear(history, "task-received", name="a task")
        history.save_state()
        assert len(opened(tmp_path).state.tasks) == 1

    in_a_loop(steps)


def test_a_history_of_something_else_is_set_aside(tmp_path):
    (tmp_path / "flower").mkdir()
    with shelve.open(str(tmp_path / "flower" / "history")) as other:  # noqa: S301 - as Flower does
        other["events"] = SimpleNamespace(counter={})
        other["counter"] = {}

    async def steps() -> None:
        assert len(opened(tmp_path).state.tasks) == 0
        assert list((tmp_path / "flower").glob("*.corrupt"))

    in_a_loop(steps)


def test_a_history_that_cannot_be_written_is_said_once_and_flower_goes_on(tmp_path, caplog):
    (tmp_path / "flower").write_text("not a folder")

    async def steps() -> None:
        history = opened(tmp_path)
        hear(history, "task-received", name="a task")
        history.save_state()
        history.save_state()
        assert len(history.state.tasks) == 1

    in_a_loop(steps)
    assert caplog.text.count("cannot be saved") == 1
