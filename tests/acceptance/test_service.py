"""`chordal up`: broker, workers, schedule, Flower and metrics of a home; its nights; and its end."""

import base64
import http.client
import json
import os
import signal
import socket
import stat

import brokers
import psutil
import pytest
import redis
import soundfile
from conditions import eventually
from nights import move_since
from sounds import RATE_HZ, sound, write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AUTH = "me:a secret, with a comma"


def fetch(port: int, path: str, auth: str | None = None) -> tuple[int, str]:
    """Return the status and body of what a page on this host answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {} if auth is None else {"Authorization": "Basic " + base64.b64encode(auth.encode()).decode()}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def up(chordal, *options: str, **more: str):
    """Start a service and return what it prints."""
    result = chordal("up", "--json", *options, **more)
    assert result.status == 0, result.err + chordal.logs()
    return result.json


def test_a_service_catches_up_a_missed_night_and_serves_runs_until_it_is_taken_down(chordal, tmp_path):
    # given a library that was extracted before, with one new file, and a night whose hour passed
    library = tmp_path / "library"
    total = write_classes(library, per_class=3)
    assert chordal("extract", library, "--recipe", chordal.recipe).status == 0
    soundfile.write(library / "low" / "new.wav", sound(100), RATE_HZ)
    result = chordal("schedule", "set", "--library", library, "--recipe", chordal.recipe, "--timezone", "Europe/Berlin")
    assert result.status == 0, result.err
    assert "no service is up" in result.out
    move_since(chordal.home, to="2020-01-01T00:00:00+00:00")

    # when
    flower, metrics = brokers.free_port(), brokers.free_port()
    ports = ("--flower-port", str(flower), "--metrics-port", str(metrics))
    service = up(chordal, "--workers", "1", *ports, CHORDAL_FLOWER_AUTH=AUTH)

    # then the night is run, and only the new file is extracted
    eventually(lambda: list(chordal.home.glob("nightly/*/result.json")), within_s=300)
    [night] = chordal("schedule", "show", "--json").json["nights"]
    assert night["state"] == "finished", night
    assert night["tracks"] == {"extracted": 1, "unchanged": total, "failed": 0}
    assert night["model"] == "v0001"
    assert night["run_id"] in chordal("schedule", "show").out

    # and the status of a run says that it is up, and where its pages are
    status = chordal("status", "--json").json["service"]
    assert (status["state"], status["process"], status["flower"]) == ("ready", service["process"], service["flower"])
    assert f"process {service['process']}" in chordal("status").out

    # and a run uses the service instead of a broker of its own
    again = chordal("extract", library, "--recipe", chordal.recipe)
    assert again.status == 0, again.err
    assert f"the service of this home (process {service['process']}) does the work" in again.err
    assert "nothing was extracted" in again.out

    # and Flower shows people what was done, to those who know the password
    assert fetch(flower, "/api/tasks")[0] == 401
    tasks = list(json.loads(fetch(flower, "/api/tasks", AUTH)[1]).values())
    [extracted] = [task for task in tasks if task["name"] == "chordal.extract.track"]
    assert extracted["args"] == f"({library / 'low' / 'new.wav'}, mfcc_segments, mfcc_mean)"
    assert extracted["result"].startswith("extracted, ")
    assert any(task["result"].startswith("model v0001 (") for task in tasks if task["result"])
    assert "flower_events_total" in fetch(flower, "/metrics")[1]

    # and so does the page for Prometheus
    _, counts = fetch(metrics, "/metrics")
    for line in (
        'chordal_tracks_total{outcome="extracted"} 1.0',
        'chordal_run_info{recipe="quick"',
        'chordal_queue_depth{queue="schedule"} 0.0',
        "chordal_nightly_last_success 1.0",
        'chordal_source_up{source="broker"} 1.0',
    ):
        assert line in counts, counts

    # and a second one names the first
    assert stat.S_IMODE((chordal.home / "service.json").stat().st_mode) == 0o600
    second = chordal("up", "--json")
    assert (second.status, second.json["process"], second.json["state"]) == (0, service["process"], "up already")

    # and nothing is left when it is taken down
    assert chordal("down").out == "down\n"
    assert "service" not in chordal("status", "--json").json
    assert chordal.live_processes() == []
    again = chordal("down")
    assert again.status == 2
    assert "no service is up here" in again.err


def test_a_service_that_was_killed_leaves_nothing_behind_and_heals_before_that(chordal):
    service = up(chordal, "--workers", "0", "--no-flower", "--metrics-port", str(brokers.free_port()))

    # a child that dies is started again
    def metrics() -> list[psutil.Process]:
        return [process for process in chordal.live_processes() if "metrics" in process.info["cmdline"]]

    [child] = metrics()
    child.kill()
    eventually(lambda: [process for process in metrics() if process.pid != child.pid])
    eventually(lambda: psutil.Process(service["process"]).children()[-1].pid != child.pid)

    # and when the supervisor is killed the others end by themselves
    os.kill(service["process"], signal.SIGKILL)
    eventually(lambda: chordal.live_processes() == [])
    result = chordal("down")
    assert result.status == 0
    assert "had died" in result.out
    assert not (chordal.home / "service.json").exists()


def test_a_run_whose_command_was_killed_is_brought_to_its_end_by_the_service(chordal, tmp_path):
    library = tmp_path / "library"
    total = write_classes(library, per_class=12, seconds=8.0)
    assert chordal("schedule", "set", "--library", library, "--reconcile", "1").status == 0
    up(chordal, "--workers", "1", "--no-flower", "--no-metrics")
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: any((chordal.home / "store" / "inbox").rglob("*.h5")))
    running.kill()
    running.communicate()
    eventually(lambda: list(chordal.home.glob("runs/*/sealed/*.json")))
    status = chordal("status", "--json").json
    assert status["stage"] == "finished"
    assert status["tracks"] == {"extracted": total, "unchanged": 0, "failed": 0}
    assert chordal("down").status == 0


def test_of_two_beats_one_sends_and_the_other_takes_over_when_it_is_killed(chordal, tmp_path):
    (tmp_path / "library").mkdir()
    assert chordal("schedule", "set", "--library", tmp_path / "library", "--reconcile", "1").status == 0
    with brokers.valkey(tmp_path / "server") as port, redis.Redis(port=port) as client:
        broker = f"redis://127.0.0.1:{port}/0"
        # given the lock of a third one that is dead, and was set when the broker's clock was hours ahead
        client.set("chordal:beat", "dead", ex=3 * 3600)
        beats = [chordal.start("beat", CHORDAL_BROKER=broker) for _ in range(2)]
        found: list[int] = []

        def senders() -> list[int]:
            """Take what was sent, as the conductor would; return the processes that sent it so far, newest first."""
            while message := client.rpop("schedule"):
                origin = json.loads(message)["headers"]["origin"]
                found.insert(0, int(origin.partition("@")[0].removeprefix("gen")))
            return found

        eventually(lambda: len(senders()) >= 3)
        [first] = set(senders())
        [killed] = [process for process in beats if process.pid == first]
        [other] = [process for process in beats if process.pid != first]
        killed.kill()
        eventually(lambda: senders()[0] == other.pid)
        other.send_signal(signal.SIGTERM)
        assert other.wait(120) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--flower-address", "192.0.2.1"), ("192.0.2.1", "CHORDAL_FLOWER_AUTH")),
        (("--flower-auth", "secret"), ("USER:PASSWORD",)),
        (("--broker", "redis://127.0.0.1:1/0"), ("is it running",)),
    ],
)
def test_a_service_that_cannot_be_is_refused_in_one_line(chordal, options, words):
    result = chordal("up", *options)
    assert result.status == 2, result.err
    [line] = result.err.splitlines()
    assert all(word in line for word in words)
    assert not (chordal.home / "service.json").exists()


def test_the_page_of_metrics_answers_while_the_broker_is_away(chordal):
    port = brokers.free_port()
    chordal.start("metrics", "--broker", "redis://127.0.0.1:1/0", "--port", str(port))
    status, page = eventually(lambda: fetch(port, "/metrics"), ignoring=(OSError,))
    assert status == 200
    assert "chordal_broker_up 0.0" in page


def test_a_taken_port_is_reported_before_anything_is_started(chordal):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = chordal("up", "--flower-port", str(taken.getsockname()[1]))
    assert result.status == 2
    assert "--flower-port" in result.err
    assert chordal.live_processes() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--nightly", "61 3 * * *"), ("bad minute",)),
        (("--nightly", "every night"), ("five fields",)),
        (("--timezone", "Europe/Rostok"), ("Europe/Rostok",)),
        (("--recipe", "defualt"), ("defualt",)),
        (("--library", "nowhere"), ("nowhere",)),
    ],
)
def test_a_schedule_with_a_mistake_is_refused(chordal, tmp_path, options, words):
    result = chordal("schedule", "set", "--library", tmp_path, *options)
    assert result.status == 2, result.err
    assert all(word in result.err for word in words), result.err
    assert not (chordal.home / "schedule.json").exists()
