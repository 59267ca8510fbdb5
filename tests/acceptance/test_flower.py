"""Flower for a home: below a path, behind a password, with the runs of the home, their reports and their tasks."""

import base64
import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import brokers
import pytest
from celery import Celery
from conditions import eventually
from homes import run_plan

from pipeline.clock import now
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.run import ShardSummary
from storage import RunLedger
from workers.app.task_names import EXTRACT_TRACK, FINISH_RUN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AUTH = "me:secret"
DASHBOARD = Path(__file__).parent.parent.parent / "ops" / "grafana" / "dashboards" / "chordal.json"


class Flower:
    """A Flower that is asked as a browser asks."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, path: str, *, auth: str | None = AUTH, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Return the status and the page at a path."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        if auth is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(auth.encode()).decode()
        try:
            connection.request("POST" if form else "GET", path, urlencode(form) if form else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def found(self, search: str) -> list[dict]:
        """Return the tasks that the page of tasks shows for a search."""
        form = {
            "draw": "1", "start": "0", "length": "15", "order[0][column]": "0", "order[0][dir]": "asc",
            "columns[0][data]": "name", "search[value]": search,
        }  # fmt: skip
        return json.loads(self.ask("/flower/tasks/datatable", form=form)[1])["data"]


@pytest.fixture
def broker(tmp_path) -> Iterator[str]:
    with brokers.valkey(tmp_path / "server") as port:
        yield f"redis://127.0.0.1:{port}/0"


def start(chordal, broker: str) -> Flower:
    port = brokers.free_port()
    words = ("--port", str(port), "--broker", broker, "--flower-prefix", "flower")
    chordal.start("flower", *words, CHORDAL_FLOWER_AUTH=AUTH)
    flower = Flower(port)
    eventually(lambda: flower.ask("/flower/healthcheck", auth=None)[0] == 200, ignoring=(OSError,))
    return flower


def open_run(home: Path) -> RunLedger:
    """Begin a run of one file, whose report is written already."""
    ledger = RunLedger(home)
    plan = run_plan("run-1", created=now())
    ledger.create(plan)
    stamp = FileStamp(size_bytes=1, mtime_ns=1)
    ledger.write_shard("run-1", 0, [ScannedTrack(track_id=track_id("/music/a"), path="/music/a", stamp=stamp)])
    ledger.close_scan("run-1", 1)
    (ledger.path("run-1") / "report.html").write_text("<h1>The report of run-1</h1>")
    return ledger


def send(broker: str, uuid: str, name: str, kinds: tuple[str, ...], **fields: str) -> None:
    """Send the events of a task as a worker does that is gone since."""
    with Celery(broker=broker) as app, app.connection() as connection:
        sender = app.events.Dispatcher(connection, hostname="extract@studio")
        for kind in kinds:
            sender.send(kind, uuid=uuid, name=name, **fields)


def test_flower_shows_the_runs_of_a_home_with_their_reports_and_tasks(chordal, broker):
    chordal.home.mkdir()
    ledger = open_run(chordal.home)
    flower = start(chordal, broker)

    # nobody sees anything without the password, and no page leads out of the path
    for path in ("/flower/", "/flower/tasks", "/flower/runs", "/flower/report/run-1"):
        assert flower.ask(path, auth=None)[0] == 401, path
        page = flower.ask(path)[1]
        assert all(link.startswith(("/flower/", "http", "#")) for link in re.findall(r'(?:href|src)="([^"]*)"', page))
    assert flower.ask("/flower")[0] == 301
    assert flower.ask("/tasks")[0] == 404

    # the runs are listed, with the report and nothing else of the home
    assert '<a href="/flower/report/run-1">report</a>' in flower.ask("/flower/runs")[1]
    assert flower.ask("/flower/report/run-1") == (200, "<h1>The report of run-1</h1>")
    for name in (
        "run-2",
        "..",
        "../../schedule.json",
        "run-1/plan.json",
        "run-1/../run-1",
        ".tmp",
        "/etc/passwd",
        "run-1\0",
    ):
        assert flower.ask(f"/flower/report/{quote(name, safe='')}")[0] == 404, name
    (ledger.path("run-1") / "report.html").rename(chordal.folder / "outside.html")
    (ledger.path("run-1") / "report.html").symlink_to(chordal.folder / "outside.html")
    assert flower.ask("/flower/report/run-1")[0] == 404

    # tasks are found by their run and shard, and lead to the report
    (ledger.path("run-1") / "report.html").unlink()
    (chordal.folder / "outside.html").rename(ledger.path("run-1") / "report.html")
    shown = {"args": "(/music/a, mfcc_mean)", "kwargs": "{'run_id': 'run-1', 'shard': 0}"}
    ended = {"args": "(final training)", "kwargs": "{'run_id': 'run-1'}", "result": "model v0001"}

    def heard() -> bool:
        send(broker, "t1", EXTRACT_TRACK, ("task-received", "task-started"), **shown)
        send(broker, "t2", FINISH_RUN, ("task-received", "task-succeeded"), **ended)
        return len(flower.found("run-1")) == 2

    eventually(heard, every_s=0.2)
    [found] = flower.found("kwargs:run_id=run-1 kwargs:shard=0")
    assert (found["uuid"], found["state"]) == ("t1", "STARTED")
    [found] = flower.found("train.finish")
    assert found["result"] == "model v0001; report: /flower/report/run-1"
    for uuid in ("t1", "t2"):
        assert '<a href="/flower/report/run-1">report</a>' in flower.ask(f"/flower/task/{uuid}")[1]

    # and all that the dashboard asks Flower for is there
    send(broker, "t1", EXTRACT_TRACK, ("worker-heartbeat", "task-succeeded"), runtime=1.0, **shown)
    named = set(re.findall(r"flower_\w+", DASHBOARD.read_text("utf-8")))
    assert named
    eventually(lambda: all(name in flower.ask("/flower/metrics", auth=None)[1] for name in named))


def test_a_task_that_ended_while_nobody_heard_is_settled_when_flower_starts(chordal, broker):
    # given a task that was started when Flower last heard of it
    chordal.home.mkdir()
    ledger = open_run(chordal.home)
    flower = start(chordal, broker)
    shown = {"args": "(/music/a, mfcc_mean)", "kwargs": "{'run_id': 'run-1', 'shard': 0}"}
    long_ago_s = time.time() - 60

    def heard() -> bool:
        with Celery(broker=broker) as app, app.connection() as connection:
            sender = app.events.Dispatcher(connection, hostname="extract@studio")
            for kind in ("task-received", "task-started"):
                sender.send(kind, uuid="t1", name=EXTRACT_TRACK, timestamp=long_ago_s, **shown)
        return bool(flower.found("state:STARTED"))

    eventually(heard, every_s=0.2)
    [process] = chordal.started
    process.terminate()
    assert process.wait(60) == 0
    # when its shard is sealed, and Flower starts
    ledger.seal("run-1", ShardSummary(shard=0, extracted=1))
    flower = start(chordal, broker)
    # then
    eventually(lambda: flower.found("state:SUCCESS"))
    [found] = flower.found("run-1")
    assert found["result"] == "settled: shard 0 is sealed (by the ledger)"


def test_a_prefix_that_is_no_path_is_refused_in_one_line(chordal):
    for words in (("up",), ("flower", "--broker", "redis://127.0.0.1:1/0")):
        result = chordal(*words, "--flower-prefix", "a b")
        assert result.status == 2
        [line] = result.err.splitlines()
        assert "flower prefix 'a b'" in line
