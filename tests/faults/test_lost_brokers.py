"""A broker that dies in the middle of a chord, with all that it knew or without: the run goes on and ends whole."""

import json
from contextlib import suppress

import brokers
import kills
import psutil
import pytest
import redis
from blocked_run import BlockedRun, end
from conditions import eventually
from printed import Printed
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

FILES = 6
TRIALS = 6


@pytest.fixture
def server(tmp_path):
    """A server that writes nothing down."""
    valkey = brokers.Valkey(tmp_path / "server", appendonly="no")
    valkey.start()
    yield valkey
    valkey.kill()


@pytest.fixture
def blocked_run(chordal, server, tmp_path):
    """A run whose files are blocked in extraction, on that server."""
    run = BlockedRun(chordal, tmp_path, server.port, files=FILES)
    yield run
    run.client.close()


def test_a_broker_that_forgot_everything_in_the_middle_of_a_shard_costs_no_file(chordal, blocked_run, server):
    # given a shard with files that are being extracted and others in a queue
    worker = blocked_run.worker("only", processes=2)
    running = blocked_run.extract()
    eventually(lambda: blocked_run.starts == 2)

    # when the broker is killed and comes back empty, and those that are being extracted are finished only then
    server.kill()
    server.start()
    blocked_run.release()

    # then the others are published again, and nothing is extracted twice
    assert blocked_run.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert blocked_run.starts == FILES
    assert len(kills.store_contents(chordal.home)) == FILES
    end(worker)


def test_a_run_that_a_broker_forgot_goes_on_while_others_keep_it_busy(blocked_run, server):
    worker = blocked_run.worker("only", processes=1)
    running = blocked_run.extract()
    eventually(lambda: blocked_run.starts == 1)
    server.kill()
    server.start()
    # another run's task that nobody here works on
    body = blocked_run.client.lpush("tune", json.dumps({"body": "", "headers": {}, "properties": {}}))
    assert body == 1
    blocked_run.release()
    assert blocked_run.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert blocked_run.client.llen("tune") == 1
    end(worker)


def test_a_run_says_within_seconds_that_it_waits_for_workers_or_a_password_and_when_it_goes_on(
    chordal, server, tmp_path
):
    # given a run without workers, of a user with a password
    with redis.Redis(port=server.port) as admin:
        admin.execute_command("ACL", "SETUSER", "me", "on", ">old", "~*", "&*", "+@all")
        run = BlockedRun(chordal, tmp_path, server.port, files=FILES, user="me:old@")
        printed = Printed(run.extract())
        where = f"broker redis://me:***@127.0.0.1:{server.port}/0"
        eventually(lambda: printed.has(f"{where}: no worker answers; waiting; start some with `chordal worker"))

        # when one comes, and the broker's owner changes the password in the middle of a file
        worker = run.worker("only")
        eventually(lambda: run.starts == 1)
        admin.execute_command("ACL", "SETUSER", "me", "resetpass", ">new")
        admin.execute_command("CLIENT", "KILL", "USER", "me")

        # then that is told, and the run goes on when the old one is set again
        eventually(lambda: printed.has(where, "the password or user is wrong", "waiting"))
        run.release()
        admin.execute_command("ACL", "SETUSER", "me", "resetpass", ">old")
        eventually(lambda: printed.has(f"{where}: back"))

    # and every file is extracted, once
    assert json.loads(printed.end())["tracks"] == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert sum("no worker answers" in line for line in printed.lines) == 1
    assert sum("password" in line for line in printed.lines) == 1
    assert run.starts == FILES
    run.client.close()
    end(worker)


def test_a_broker_that_fills_up_while_files_are_extracted_is_named_and_nothing_is_lost(chordal, blocked_run, server):
    # given a run with a file that is being extracted
    worker = blocked_run.worker("only")
    printed = Printed(blocked_run.extract())
    eventually(lambda: blocked_run.starts == 1)

    # when somebody else fills the broker, and the file is finished only then
    blocked_run.client.set("somebody else's", "x" * 2_000_000)
    blocked_run.client.config_set("maxmemory", "1mb")
    blocked_run.release()

    # then the run says so and ends
    assert printed.end() == ""
    assert "its memory is full; raise its maxmemory" in printed.lines[-1]
    # and a worker that could not go on says so by its status, so that whoever keeps it running starts it again
    worker.communicate()
    assert worker.returncode == 1

    # and the same command goes on when there is room
    blocked_run.client.config_set("maxmemory", "0")
    again = blocked_run.worker("another")
    tracks = blocked_run.tracks(blocked_run.extract())
    assert tracks["extracted"] + tracks["unchanged"] == FILES
    assert len(kills.store_contents(chordal.home)) == FILES
    end(again)


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
    eventually(lambda: chordal.live_processes() == [])
