"""Workers on other hosts: a mount point of their own, a library they do not see, another version of chordal."""

import json
import os
import shutil
import signal
import subprocess
import sys

import brokers
import pytest
import redis
from conditions import eventually
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FILES = ("worker", "--queues", "extract,store", "--concurrency", "1")


@pytest.fixture
def library(tmp_path):
    """A library of six files."""
    write_classes(tmp_path / "library", per_class=2)
    return tmp_path / "library"


@pytest.fixture
def server(tmp_path):
    """A server on a loopback port."""
    with brokers.valkey(tmp_path / "server") as port:
        yield port


def heartbeats_of(server: int) -> list[dict]:
    """Return the heartbeats of the workers of a broker."""
    with redis.Redis(port=server) as client:
        documents = [client.get(key) for key in client.scan_iter("chordal:version:*")]
    return [json.loads(each) for each in documents if each]


def end(worker) -> str:
    """End a worker and return its log."""
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=120)
    return err


def test_a_worker_reads_the_library_where_it_has_it(chordal, library, server, tmp_path):
    # given the library under two names, of which the worker knows the second alone
    url = f"redis://127.0.0.1:{server}/0"
    mounted = tmp_path / "mounted here"
    worker = chordal.start(*FILES, "--map", f"{library}={mounted}", CHORDAL_BROKER=url)
    running = chordal.start("extract", library, "--recipe", chordal.recipe, "--json", CHORDAL_BROKER=url)
    eventually(lambda: list(chordal.home.glob("runs/*/scan.json")))
    library.rename(mounted)
    out, err = running.communicate(timeout=200)
    assert running.returncode == 0, err + end(worker)
    assert json.loads(out)["tracks"] == {"scanned": 6, "extracted": 6, "unchanged": 0, "failed": 0}
    end(worker)

    # then the records are of the paths that the scan saw
    from storage import FileFeatureStore

    records = list(FileFeatureStore.open(chordal.home / "store").snapshot().records())
    assert all(record.path.startswith(f"{library}/") for record in records)
    mounted.rename(library)
    again = chordal("extract", library, "--recipe", chordal.recipe, "--workers", "1", "--json", CHORDAL_BROKER=url)
    assert again.json["tracks"] == {"scanned": 6, "extracted": 0, "unchanged": 6, "failed": 0}


def test_a_library_that_no_worker_sees_is_named_with_host_and_path(chordal, library, server, tmp_path):
    url = f"redis://127.0.0.1:{server}/0"
    worker = chordal.start(*FILES, "--map", f"{library}={tmp_path / 'not mounted'}", CHORDAL_BROKER=url)
    result = chordal("extract", library, "--recipe", chordal.recipe, CHORDAL_BROKER=url)
    log = end(worker)
    assert (result.status, result.out) == (2, ""), result.err
    line = result.err.splitlines()[-1]
    for words in (
        f"library {library}",
        "no such file",
        str(tmp_path / "not mounted"),
        f"on host {os.uname().nodename}",
    ):
        assert words in line, line
    assert "--map" in line
    assert "takes no files until it is there" in log
    # and nothing was recorded as missing
    assert chordal("failures", "--json").json["failures"] == []


def test_a_worker_that_does_not_see_the_library_leaves_it_to_those_that_do(chordal, library, server, tmp_path):
    url = f"redis://127.0.0.1:{server}/0"
    empty = tmp_path / "empty"
    empty.mkdir()
    workers = [
        chordal.start(*FILES, "--name", "blind", "--map", f"{library}={empty}", CHORDAL_BROKER=url),
        chordal.start(*FILES, "--name", "seeing", CHORDAL_BROKER=url),
    ]
    eventually(lambda: len(heartbeats_of(server)) == 2, within_s=120)
    result = chordal("extract", library, "--recipe", chordal.recipe, "--json", CHORDAL_BROKER=url)
    logs = [end(worker) for worker in workers]
    assert result.status == 0, result.err
    assert result.json["tracks"] == {"scanned": 6, "extracted": 6, "unchanged": 0, "failed": 0}, logs


@pytest.fixture
def newer(tmp_path) -> str:
    """A folder that makes chordal look like version 99 when it is on the path."""
    folder = tmp_path / "newer" / "chordal-99.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: chordal\nVersion: 99.0\n", "ascii")
    return str(folder.parent)


def test_workers_of_another_version_are_refused_with_both_versions(chordal, library, server, newer):
    url = f"redis://127.0.0.1:{server}/0"
    worker = chordal.start(*FILES, CHORDAL_BROKER=url, PYTHONPATH=newer)
    eventually(lambda: heartbeats_of(server), within_s=120)
    result = chordal("extract", library, "--recipe", chordal.recipe, CHORDAL_BROKER=url)
    end(worker)
    assert (result.status, result.out) == (2, ""), result.err
    assert "is chordal 99.0, this is chordal 0." in result.err
    assert not list(chordal.home.glob("runs/*"))


def test_a_worker_too_old_for_a_task_puts_it_back_and_ends(chordal, library, server, newer):
    # given tasks of a newer version
    url = f"redis://127.0.0.1:{server}/0"
    running = chordal.start("extract", library, "--recipe", chordal.recipe, CHORDAL_BROKER=url, PYTHONPATH=newer)
    eventually(lambda: waiting(server) == 6)

    # when a worker of this version comes, then it ends, and leaves them
    old = chordal(*FILES, CHORDAL_BROKER=url)
    assert old.status == 2, old.err
    line = old.err.splitlines()[-1]
    assert line.startswith("chordal: a task of chordal 99.0 came to worker")
    assert "which is chordal 0." in line
    assert waiting(server) == 6

    # and one of the newer does them
    worker = chordal.start(*FILES, CHORDAL_BROKER=url, PYTHONPATH=newer)
    out, err = running.communicate(timeout=200)
    assert running.returncode == 0, err + out + end(worker)
    end(worker)


def test_a_task_too_old_for_the_workers_ends_its_run_with_both_versions(chordal, library, server, newer):
    url = f"redis://127.0.0.1:{server}/0"
    running = chordal.start("extract", library, "--recipe", chordal.recipe, CHORDAL_BROKER=url)
    eventually(lambda: waiting(server) == 6)
    worker = chordal.start(*FILES, CHORDAL_BROKER=url, PYTHONPATH=newer)
    _, err = running.communicate(timeout=120)
    end(worker)
    assert running.returncode == 2, err
    assert "a task of chordal 0." in err
    assert "which is chordal 99.0; install the same version on both" in err
    assert waiting(server) == 0


def waiting(server: int) -> int:
    """Return how many tasks of files wait."""
    with redis.Redis(port=server) as client:
        return sum(client.llen(key) for key in client.scan_iter("extract*", _type="list"))


@pytest.mark.skipif(not sys.platform.startswith("linux") or shutil.which("ip") is None, reason="needs Linux and ip")
def test_two_hosts_with_a_network_between_them(chordal, library, tmp_path):
    # given a second host: a network of its own, joined to ours by a cable, and its own mount of the library
    name = f"chordal{os.getpid()}"
    inside, outside = f"i{os.getpid()}"[:15], f"o{os.getpid()}"[:15]
    net = f"10.{77 + os.getpid() % 100}.0"
    commands = [
        ["ip", "netns", "add", name],
        ["ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name],
        ["ip", "addr", "add", f"{net}.1/30", "dev", outside],
        ["ip", "link", "set", outside, "up"],
        ["ip", "-n", name, "addr", "add", f"{net}.2/30", "dev", inside],
        ["ip", "-n", name, "link", "set", inside, "up"],
    ]
    here = tmp_path / "nas" / "music"
    here.mkdir(parents=True)
    try:
        for command in commands:
            if subprocess.run(command, check=False, capture_output=True).returncode:
                pytest.skip("no network namespaces here")
        with brokers.valkey(tmp_path / "server", bind=f"127.0.0.1 {net}.1", auth="secret") as port:
            url = f"redis://:secret@{net}.1:{port}/0"
            # on that host the library is mounted elsewhere, and its own place is covered
            script = f'mount --bind "{library}" "{here}" && mount -t tmpfs none "{library}" && exec "$@"'
            host = [
                "ip",
                "netns",
                "exec",
                name,
                "unshare",
                "--uts",
                "--mount",
                "sh",
                "-c",
                f"hostname attic && {script}",
            ]
            arguments = chordal.command(*FILES, "--map", f"{library}={here}")
            worker = subprocess.Popen(
                [*host, "sh", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=chordal.environment(CHORDAL_BROKER=url),
                start_new_session=True,
            )
            chordal.started.append(worker)
            result = chordal("extract", library, "--recipe", chordal.recipe, "--json", CHORDAL_BROKER=url)
            log = end(worker)
        assert result.status == 0, result.err + log
        assert result.json["tracks"] == {"scanned": 6, "extracted": 6, "unchanged": 0, "failed": 0}
        assert "extract-store@attic ready" in log
    finally:
        subprocess.run(["ip", "link", "del", outside], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
