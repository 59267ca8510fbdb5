"""Whole runs over each kind of broker, with workers that were started by hand."""

import re
import signal
from pathlib import Path

import brokers
import pytest
import redis
from conditions import eventually
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def runs_whole(chordal, tmp_path, url: str, *, hidden: str = "secret", command: str = "extract") -> None:
    """Carry out a run with one worker for its queues; check its end, and that the password is nowhere to be read."""
    library = tmp_path / "library"
    total = write_classes(library, per_class=4)
    queues = "extract,store" if command == "extract" else "extract,store,tune,train"
    worker = chordal.start("worker", "--concurrency", "1", "--queues", queues, CHORDAL_BROKER=url)
    result = chordal(command, library, "--recipe", chordal.recipe, "--json", CHORDAL_BROKER=url)
    assert result.status == 0, result.err
    assert result.json["tracks"]["extracted"] == total
    assert command == "extract" or result.json["trials"]["completed"] == 2
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    written = [path.read_bytes() for path in chordal.home.rglob("*") if path.is_file()]
    for text in (out, err, result.out, result.err):
        assert hidden not in text
    assert not any(hidden.encode() in each for each in written)


PAGE = Path(__file__).parents[2] / "ops" / "docs" / "brokers-and-hosts.md"


def rights_on_the_page() -> list[list[str]]:
    """Return the rules that the page gives for a user: the short ones, and the narrow ones."""
    lines = re.findall(r"^ACL SETUSER chordal on >PASSWORD (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(lines) == 2
    return [line.split() for line in lines]


def refusals(port: int) -> set[str]:
    """Return what a server refused its users."""
    with redis.Redis(port=port, decode_responses=True) as client:
        return {entry["object"] for entry in client.acl_log()}


def test_the_narrow_rights_on_the_page_are_enough(chordal, tmp_path):
    with brokers.valkey(tmp_path / "server") as port:
        brokers.set_user(port, "chordal", *rights_on_the_page()[1])
        runs_whole(chordal, tmp_path, f"redis://chordal:secret@127.0.0.1:{port}/3", command="run")
        assert refusals(port) == set()


def test_a_user_without_the_rights_and_a_cluster_are_refused_in_one_line_before_anything_starts(chordal, tmp_path):
    with (
        brokers.valkey(tmp_path / "server") as port,
        brokers.valkey(tmp_path / "cluster", cluster_enabled="yes") as cluster,
    ):
        brokers.set_user(port, "keyed", "~chordal:*", "&*", "+@all")
        for url, reason in (
            (f"redis://keyed:secret@127.0.0.1:{port}/3", "the user may not use the key extract; it needs ~* &* +@all"),
            (f"redis://127.0.0.1:{cluster}/0", "it is a cluster; name a single server"),
        ):
            shown = url.replace("secret", "***")
            doctor = chordal("doctor", CHORDAL_BROKER=url)
            assert doctor.status == 1
            [line] = [line for line in doctor.out.splitlines() if "broker" in line]
            assert f"{shown}: {reason}" in line
            for command in (("up", "--workers", "1"), ("worker",)):
                refused = chordal(*command, CHORDAL_BROKER=url)
                assert (refused.status, refused.out) == (2, "")
                [line] = refused.err.splitlines()
                assert line.startswith(f"chordal: broker {shown}: {reason}")
        assert chordal.live_processes() == []


def test_a_run_over_tls_by_a_user_with_the_rights_on_the_page(chordal, tmp_path):
    made = brokers.certificate(tmp_path / "tls")
    if made is None:
        pytest.skip("needs openssl to make a certificate")
    with brokers.valkey(tmp_path / "server") as plain, brokers.tls_proxy(plain, *made) as port:
        brokers.set_user(plain, "chordal", *rights_on_the_page()[0])
        runs_whole(chordal, tmp_path, f"rediss://chordal:secret@127.0.0.1:{port}/0?ssl_ca_certs={made[0]}")
        assert refusals(plain) <= {"info"}  # what it says of its memory is wished, not needed


def test_a_run_over_sentinels(chordal, tmp_path):
    with (
        brokers.valkey(tmp_path / "server", auth="secret") as server,
        brokers.sentinel(tmp_path / "sentinel", master_port=server, auth="secret") as port,
    ):
        silent = brokers.free_port()
        url = f"sentinel://:secret@127.0.0.1:{port};sentinel://127.0.0.1:{silent}/3?master_name=music"
        runs_whole(chordal, tmp_path, url)


@pytest.mark.skipif(brokers.RABBIT is None, reason="needs an installed RabbitMQ")
def test_a_run_over_rabbitmq(chordal, tmp_path):
    with brokers.valkey(tmp_path / "server") as store, brokers.rabbit(tmp_path / "rabbit") as port:
        beside = f"redis://127.0.0.1:{store}/0"
        refused = chordal("worker", "--broker", f"amqp://guest:secret@127.0.0.1:{port}//;{beside}")
        assert refused.status == 2
        assert "RabbitMQ refuses the user or password" in refused.err
        assert "secret" not in refused.err
        refused = chordal("worker", "--broker", f"amqp://guest:guest@127.0.0.1:{port}/songs;{beside}")
        assert (refused.status, "no such vhost" in refused.err) == (2, True), refused.err
        runs_whole(
            chordal, tmp_path, f"amqp://guest:guest@127.0.0.1:{port}//;{beside}", hidden="guest:guest@", command="run"
        )


@pytest.mark.skipif(brokers.RABBIT is None, reason="needs an installed RabbitMQ")
def test_a_worker_killed_over_rabbitmq_costs_no_file(chordal, tmp_path):
    library = tmp_path / "library"
    total = write_classes(library, per_class=16, seconds=10.0)
    with brokers.valkey(tmp_path / "server") as store, brokers.rabbit(tmp_path / "rabbit") as port:
        url = f"amqp://guest:guest@127.0.0.1:{port}//;redis://127.0.0.1:{store}/0"
        running = chordal.start("extract", library, "--recipe", chordal.recipe, "--workers", "2", CHORDAL_BROKER=url)
        eventually(lambda: any((chordal.home / "store" / "inbox").rglob("*.h5")))
        found = [p for p in chordal.live_processes() if p.info["cmdline"][-2:] == ["extract", "--end-with-parent"]]
        min(found, key=lambda process: process.create_time()).kill()
        out, err = running.communicate(timeout=240)
        assert running.returncode == 0, err + chordal.logs()
        status = chordal("status", "--json").json
        assert status["tracks"] == {"extracted": total, "unchanged": 0, "failed": 0}, out


def test_a_broker_that_fills_up_during_a_run_is_named(chordal, tmp_path):
    # given a run whose worker has not come yet
    library = tmp_path / "library"
    write_classes(library, per_class=4)
    with brokers.valkey(tmp_path / "server") as port:
        url = f"redis://127.0.0.1:{port}/0"
        running = chordal.start("extract", library, "--recipe", chordal.recipe, CHORDAL_BROKER=url)
        with redis.Redis(port=port) as client:
            eventually(lambda: sum(client.llen(key) for key in client.scan_iter("extract*", _type="list")) == 12)
            # when somebody else fills the broker
            client.set("somebody else's", bytes(2_000_000))
            client.config_set("maxmemory", "1mb")
            out, err = running.communicate(timeout=120)
            # then the run says so, and goes on when there is room
            assert (running.returncode, out) == (2, ""), err
            assert f"broker {url}: its memory is full; raise its maxmemory" in err.splitlines()[-1]
            client.config_set("maxmemory", "0")
        again = chordal("extract", library, "--recipe", chordal.recipe, "--workers", "1", "--json", CHORDAL_BROKER=url)
        assert again.status == 0, again.err + chordal.logs()
        assert again.json["tracks"]["failed"] == 0
        assert again.json["tracks"]["extracted"] + again.json["tracks"]["unchanged"] == 12
