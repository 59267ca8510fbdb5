"""ops/alerts.yml: each rule fires on what a real page of metrics says in the state it is for, and else none does."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import brokers
import pytest
import yaml
from homes import run_plan
from prometheus_client import CollectorRegistry, generate_latest
from promql import Query, Scrapes, UnknownSyntaxError, fires

from pipeline.clock import now
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.run import ShardSummary
from pipeline.versions import own_version
from storage import Champions
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.broker.counters import Counters
from workers.broker.heartbeats import KEPT_S, Heartbeat, WorkerList
from workers.runs.active import announce
from workers.schedule.nights import NightResult, Nights, Schedule
from workers.service import state as service_state
from workers.service.metrics import HomeCollector
from workers.service.state import Process, Service

OPS = Path(__file__).parent.parent.parent / "ops"
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((OPS / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
PANELS = json.loads((OPS / "grafana" / "dashboards" / "chordal.json").read_text("utf-8"))["panels"]

HOUR_S = 3600.0


class Scene:
    """A home, its broker, and what Prometheus has read of them."""

    def __init__(self, folder: Path, broker: BrokerAddress) -> None:
        self.home = Home(folder)
        self.client = broker.client(timeout_s=2.0, retries=0)
        self.counters = Counters(self.client)
        self.nights = Nights(folder)
        self.scrapes = Scrapes()
        self.at_s = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(HomeCollector(self.home, broker))
        self._settled = 0

    def page(self) -> str:
        """Return the page of metrics as it is now."""
        return generate_latest(self._registry).decode()

    def lasts(self, seconds: float, page: str | None = "") -> None:
        """Let Prometheus read the page, as it is now or as given, for a time."""
        page = self.page() if page == "" else page
        self.scrapes.repeat(page, from_s=self.at_s, to_s=self.at_s + seconds)
        self.at_s += seconds + 15

    def goes_on(self, seconds: float) -> None:
        """Let the run go on for a time, slowly."""
        for _ in range(int(seconds // 300)):
            self.settle(1, "extracted")
            self.lasts(300)

    def firing(self) -> set[str]:
        """Return the alerts that fire now."""
        return {name for name, rule in RULES.items() if fires(rule, self.scrapes, at_s=self.at_s - 15)}

    def settle(self, count: int, outcome: str) -> None:
        """Settle some more files of the run."""
        for _ in range(count):
            self._settled += 1
            self.counters.begin("r1", str(self._settled))
            kind = "empty" if outcome == "failed" else None
            self.counters.settle("r1", str(self._settled), outcome, kind=kind, audio_s=1.0)

    def beats(self, queues: tuple[str, ...] = ("extract", "store", "tune", "train", "schedule")) -> None:
        """Write the heartbeat of a worker."""
        heartbeat = Heartbeat(version=own_version(), queues=queues, kept_s=KEPT_S)
        WorkerList(self.client).write("extract@studio", heartbeat)

    def serve(self, **children: Process) -> None:
        """Write the state of a service with some processes."""
        service_state.write(
            self.home.path,
            Service(
                host=socket.gethostname(),
                process=Process.of(os.getpid()),
                state="ready",
                broker=BrokerAddress(url="redis://127.0.0.1/0"),
                embedded=True,
                workers=1,
                children=children,
                since=now(),
            ),
        )

    def ended_night(self, state: str, *, ago_s: float) -> None:
        """Write that a night ended."""
        moment = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=ago_s)
        night = NightResult(
            slot=moment.isoformat(),
            state=state,
            reason="" if state == "finished" else "the store is gone",
            test_accuracy=0.9,
            verdict="kept",
            started=moment.isoformat(),
            ended=(moment + timedelta(minutes=1)).isoformat(),
        )
        assert self.nights.settle(moment, night)


def due(*, ago_s: float) -> str:
    """Return a weekly schedule whose last night was due so long ago."""
    moment = datetime.now(UTC) - timedelta(seconds=ago_s)
    return f"{moment.minute} {moment.hour} * * {moment.isoweekday() % 7}"


def open_run(home: Home) -> None:
    """Begin a run of a hundred files, of which one shard of two is sealed."""
    plan = run_plan("r1", created=now())
    home.ledger.create(plan)
    for shard in range(2):
        paths = [f"/music/{shard}/{number}" for number in range(50)]
        stamp = FileStamp(size_bytes=1, mtime_ns=1)
        home.ledger.write_shard(
            "r1", shard, [ScannedTrack(track_id=track_id(path), path=path, stamp=stamp) for path in paths]
        )
    home.ledger.close_scan("r1", 2)


@pytest.fixture
def scene(tmp_path, empty_broker) -> Iterator[Scene]:
    """A home where all is well: a run goes on, a worker lives, the last night finished, the next one is to come."""
    found = Scene(tmp_path, empty_broker)
    open_run(found.home)
    found.nights.put_schedule(Schedule(nightly=due(ago_s=-48 * HOUR_S), since="2026-01-01T00:00:00+00:00"))
    found.ended_night("finished", ago_s=20 * HOUR_S)
    Champions(tmp_path).promote("v0003")
    found.beats()
    found.serve(beat=Process.of(os.getpid()))
    found.client.rpush("extract", "a task")
    with announce(found.home, "r1"):
        yield found


def test_a_home_where_all_is_well_raises_no_alarm(scene):
    for _ in range(14):
        scene.settle(4, "extracted")
        scene.settle(1, "unchanged")
        scene.lasts(300)
        assert scene.firing() == set()


def take_workers(scene: Scene) -> None:
    scene.client.flushall()
    scene.client.rpush("tune", "a task")


def silence_worker(scene: Scene) -> None:
    scene.client.pexpire("chordal:version:extract@studio", (KEPT_S - 60) * 1000)


def fail_many(scene: Scene) -> None:
    scene.lasts(300)
    scene.settle(12, "failed")
    scene.settle(6, "extracted")


def break_schedule(scene: Scene) -> None:
    (scene.home.path / "schedule.json").write_text("{")


def break_service(scene: Scene) -> None:
    (scene.home.path / "service.json").write_text("{")


def lose_home(scene: Scene) -> None:
    scene.home.path.rename(scene.home.path.with_name("elsewhere"))


def end_process(scene: Scene) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        ended = Process.of(child.pid)
        child.kill()
    scene.serve(beat=Process.of(os.getpid()), flower=ended)


def fail_night(scene: Scene) -> None:
    scene.ended_night("failed", ago_s=HOUR_S)


def skip_night(scene: Scene) -> None:
    scene.ended_night("skipped", ago_s=HOUR_S)


def miss_night(scene: Scene) -> None:
    scene.nights.put_schedule(Schedule(nightly=due(ago_s=3 * HOUR_S), since="2026-01-01T00:00:00+00:00"))


def miss_night_for_long(scene: Scene) -> None:
    shutil.rmtree(scene.home.path / "nightly")
    scene.nights.put_schedule(Schedule(nightly=due(ago_s=27 * HOUR_S), since="2026-01-01T00:00:00+00:00"))


@pytest.mark.parametrize(
    ("state", "alerts"),
    [
        (take_workers, {"ChordalNoWorkerForQueue"}),
        (silence_worker, {"ChordalWorkerGone", "ChordalNoWorkerForQueue"}),
        (fail_many, {"ChordalFailuresHigh"}),
        (break_schedule, {"ChordalFigureMissing"}),
        (break_service, {"ChordalFigureMissing"}),
        (lose_home, {"ChordalHomeGone"}),
        (end_process, {"ChordalProcessDown"}),
        (fail_night, {"ChordalNightFailed"}),
        (skip_night, {"ChordalNightSkipped"}),
        (miss_night, {"ChordalNightMissing"}),
        (miss_night_for_long, {"ChordalNightMissing", "ChordalNightLong"}),
    ],
)
def test_a_rule_fires_in_the_state_that_it_is_for_and_no_other_does(scene, state, alerts):
    # given a quarter of an hour in which all is well
    scene.goes_on(900)
    assert scene.firing() == set()
    # when
    state(scene)
    scene.goes_on(1200)
    # then
    assert scene.firing() == alerts


def test_a_run_that_stands_still_is_told_while_files_wait(scene):
    scene.settle(10, "extracted")
    scene.lasts(1500)
    assert scene.firing() == {"ChordalRunStandsStill"}
    # when it goes on
    scene.settle(1, "extracted")
    scene.lasts(15)
    assert scene.firing() == set()
    # and one that is done with its files does not stand still
    for shard in range(2):
        scene.home.ledger.seal("r1", ShardSummary(shard=shard, extracted=50))
    scene.lasts(1500)
    assert scene.firing() == set()


def test_a_process_that_keeps_dying_is_told(scene):
    for number in range(5):
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            process = Process.of(child.pid)
            # Real ones die later than within the ten milliseconds that the kernel counts such times by.
            scene.serve(flower=process.replace(began=process.began + number / 10))
            scene.lasts(30)
            child.kill()
    assert scene.firing() == {"ChordalProcessKeepsDying"}


@pytest.mark.parametrize(
    "full", [{"f_bavail": 10**6, "f_frsize": 1, "f_blocks": 10**9}, {"f_favail": 10, "f_files": 10**6}]
)
def test_a_disk_that_is_nearly_full_is_told(scene, monkeypatch, full):
    disk = os.statvfs(scene.home.path)
    names = ("f_bavail", "f_frsize", "f_blocks", "f_favail", "f_files")
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**{**{n: getattr(disk, n) for n in names}, **full}))
    scene.lasts(400)
    assert scene.firing() == {"ChordalDiskLow"}


def test_a_broker_that_fills_up_and_dies_is_told_and_the_page_still_answers(tmp_path):
    server = brokers.Valkey(tmp_path / "server", maxmemory="20mb", maxmemory_policy="noeviction")
    server.start()
    try:
        scene = Scene(tmp_path / "home", BrokerAddress(url=f"redis://127.0.0.1:{server.port}/0"))
        scene.home.path.mkdir()
        scene.lasts(600)
        assert scene.firing() == set()
        # when it is nearly full
        limit, pieces = scene.client.info("memory")["maxmemory"], 0
        while scene.client.info("memory")["used_memory"] < 0.92 * limit:
            scene.client.set(f"filler {pieces}", bytes(100_000))
            pieces += 1
        scene.lasts(600)
        assert scene.firing() == {"ChordalBrokerMemoryHigh"}
        # when it is dead
        server.kill()
        scene.lasts(600)
        assert scene.firing() == {"ChordalBrokerDown"}
        assert "chordal_broker_up 0.0" in scene.page()
        assert "chordal_home_free_bytes" in scene.page()
    finally:
        server.kill()


@pytest.mark.parametrize("page", [None, "never"])
def test_a_page_that_cannot_be_read_or_was_never_asked_for_is_told(page):
    scrapes = Scrapes()
    if page is None:
        scrapes.repeat(None, from_s=0, to_s=600)
    else:
        scrapes.repeat("", from_s=0, to_s=0, job="flower")
    assert {name for name, rule in RULES.items() if fires(rule, scrapes, at_s=600)} == {"ChordalMetricsDown"}


ELSEWHERE = re.compile(r"flower_|ALERTS")
"""What is on Flower's page (tests/acceptance/test_flower.py), or Prometheus' own."""


def test_every_metric_that_a_rule_or_a_panel_names_is_on_the_page_of_a_home(scene):
    # given a home where all is well but for some files, a figure, and a broker with a limit that it is not near
    limit = int(scene.client.config_get("maxmemory")["maxmemory"])
    scene.client.config_set("maxmemory", 10**9)
    try:
        scene.counters.begin("r1", "first")
        scene.counters.settle("r1", "first", "failed", kind="empty")
        scene.lasts(60)
        scene.settle(5, "failed")
        next(scene.home.path.rglob("champion/*.json")).write_text("{")
        scene.lasts(60)
    finally:
        scene.client.config_set("maxmemory", limit)
    # then each rule can be evaluated, and each panel shows something
    there = {dict(labels)["__name__"] for labels in scene.scrapes.series}
    for name, rule in RULES.items():
        assert Query(rule["expr"]).metrics <= there, name
    for panel in PANELS:
        for target in panel["targets"]:
            if not ELSEWHERE.search(target["expr"]):
                assert Query(target["expr"]).evaluate(scene.scrapes, scene.at_s), (panel["title"], target["expr"])


@pytest.mark.parametrize(
    "text",
    ["avg(up)", "up offset 5m", "rate(up[5m:1m])", "up == bool 1", "-up", "up[5m", "topk(1, up)", "up{job=job}", ""],
)
def test_what_the_evaluator_does_not_know_it_refuses(text):
    with pytest.raises(UnknownSyntaxError):
        Query(text)


def test_a_rule_is_complete():
    for name, rule in RULES.items():
        assert name.startswith("Chordal")
        assert rule["labels"]["severity"] in {"page", "warning"}, name
        assert rule["annotations"]["summary"], name
        assert rule["annotations"]["description"], name
    assert yaml.safe_load((OPS / "prometheus.yml").read_text("utf-8"))["rule_files"] == ["alerts.yml"]


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="Prometheus' own promtool is not installed here")
def test_promtool_accepts_the_rules_and_the_configuration():
    checked = subprocess.run([PROMTOOL, "check", "config", "prometheus.yml"], cwd=OPS, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
