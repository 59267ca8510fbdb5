"""A broker that dies in the middle of a chord, with all that it knew or without: the run goes on and ends whole."""

import json
from contextlib import suppress

import brokers
import kills
import psutil
import pytest
import redis
from conditions import eventually
from held import Held, end
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

FILES = 6
TRIALS = 6


@pytest.fixture
def server(tmp_path):
    """A server that writes nothing down."""
    found = brokers.Valkey(tmp_path / "server", appendonly="no")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def held(chordal, server, tmp_path):
    """A run of files that are held, on that server."""
    found = Held(chordal, tmp_path, server.port, files=FILES)
    yield found
    found.client.close()


def test_a_broker_that_forgot_everything_in_the_middle_of_a_shard_costs_no_file(chordal, held, server):
    # given a shard with files in hand and others that wait
    worker = held.worker("only", processes=2)
    running = held.extract()
    eventually(lambda: held.started == 2)

    # when the broker is killed and comes back with nothing, and those in hand are finished only then
    server.kill()
    server.start()
    held.let_go()

    # then the others are published again, and nothing is extracted twice
    assert held.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert held.started == FILES
    assert len(kills.stored(chordal.home)) == FILES
    end(worker)


def test_a_run_that_a_broker_forgot_goes_on_while_others_keep_it_busy(held, server):
    worker = held.worker("only", processes=1)
    running = held.extract()
    eventually(lambda: held.started == 1)
    server.kill()
    server.start()
    # another run's task that nobody here works on
    body = held.client.lpush("tune", json.dumps({"body": "", "headers": {}, "properties": {}}))
    assert body == 1
    held.let_go()
    assert held.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert held.client.llen("tune") == 1
    end(worker)


@pytest.mark.parametrize("remembers", [True, False])
def test_a_broker_killed_in_the_middle_of_the_learning_chord_costs_no_trial(chordal, tmp_path, remembers):
    # given a run with a trial or more behind it and others before it
    write_classes(tmp_path / "library")
    mine = brokers.Valkey(tmp_path / "mine", appendonly="yes" if remembers else "no")
    mine.start()
    broker = f"redis://127.0.0.1:{mine.port}/0"
    try:
        running = chordal.start(
            "run", tmp_path / "library", "--recipe", chordal.recipe, "--trials", str(TRIALS), "--json",
            "--broker", broker, "--workers", "1",
        )  # fmt: skip
        eventually(lambda: list(chordal.home.glob("runs/*/outcomes/*.json")), within_s=120, every_s=0.002)
        learning = kills.pool(chordal, "learn")
        for process in learning:
            process.suspend()
        assert len(list(chordal.home.glob("runs/*/outcomes/*.json"))) < TRIALS

        # when the broker is killed and comes back
        mine.kill()
        mine.start()
        for process in learning:
            with suppress(psutil.NoSuchProcess):
                process.resume()

        # then every trial is done, once, and the winner is trained
        out, err = running.communicate(timeout=150)
        assert running.returncode == 0, err + chordal.logs()
        assert json.loads(out)["trials"] == {"requested": TRIALS, "completed": TRIALS, "failed": 0}
        assert len(chordal("models", "--json").json["models"]) == 1
        assert "Traceback" not in err, err
        with redis.Redis(port=mine.port) as client:
            assert client.hlen("unacked-learn") == 0
    finally:
        mine.kill()
    eventually(lambda: chordal.left_running() == [])
