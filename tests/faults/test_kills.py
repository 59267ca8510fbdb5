"""Faults, caused: whatever is killed in the middle of a run, the run ends with every file accounted for, once."""

import os
import subprocess
import sys

import kills
import psutil
import pytest
import soundfile
from conditions import eventually
from sounds import RATE_HZ, sound, write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PER_CLASS = 16


@pytest.fixture
def library(tmp_path):
    """A library that takes two processes some seconds."""
    write_classes(tmp_path / "library", per_class=PER_CLASS, seconds=10.0)
    return tmp_path / "library"


def ends_whole(chordal, running, *, beside=()) -> str:
    """Wait for the end of an extraction, check that nothing is missing or doubled, and return what it printed.

    Nothing of it runs on then; the processes `beside` are those of another command.
    """
    out, err = running.communicate(timeout=240)
    assert running.returncode == 0, err + chordal.logs()
    tracks = chordal("status", "--json").json["tracks"]
    assert tracks["failed"] == 0
    assert tracks["extracted"] + tracks["unchanged"] == 3 * PER_CLASS, out
    assert len(kills.store_contents(chordal.home)) == 3 * PER_CLASS
    assert "Traceback" not in err
    assert [process for process in chordal.live_processes() if process not in beside] == []
    return err


def test_a_killed_pool_process_costs_no_file(chordal, library):
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: kills.is_extracting(chordal))
    kills.pool(chordal, "extract")[0].kill()
    ends_whole(chordal, running)


def test_a_killed_worker_is_started_again(chordal, library):
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: kills.is_extracting(chordal))
    kills.worker(chordal, "extract").kill()
    assert "the extract process died and was started again (killed by SIGKILL)" in ends_whole(chordal, running)


def test_a_killed_broker_costs_no_file(chordal, library):
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: kills.is_extracting(chordal))
    kills.server(chordal).kill()
    ends_whole(chordal, running)


def test_a_worker_killed_together_with_the_broker_costs_no_file(chordal, library):
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: kills.is_extracting(chordal))
    server, worker = kills.server(chordal), kills.worker(chordal, "extract")
    # What the worker holds is in what the broker wrote down, and comes back with it.
    server.kill()
    worker.kill()
    ends_whole(chordal, running)


def test_a_broker_whose_guard_was_killed_is_not_left_beside_the_next_one(chordal, library):
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: kills.is_extracting(chordal))
    before = kills.server(chordal)
    before.parent().kill()
    eventually(lambda: not before.is_running())
    assert "the broker process died and was started again (killed by SIGKILL)" in ends_whole(chordal, running)


@pytest.mark.parametrize("deep", [False, True])
def test_what_a_killed_command_left_behind_is_finished_by_the_next_one_at_once(chordal, library, deep):
    # given a home whose broker listens in it, or in a folder of its own as its path is too long
    if deep:
        chordal.home = chordal.home.joinpath(*("level" * 10 for _ in range(2)))
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: kills.is_extracting(chordal))

    # when the command is killed, and started again while its processes are still there
    running.kill()
    running.communicate()
    left_behind = chordal.live_processes()
    assert left_behind
    again = chordal.start("extract", library, "--recipe", chordal.recipe)

    # then the second one does the rest, be it quicker than the others, which end by themselves after a short wait
    ends_whole(chordal, again, beside=left_behind)
    tracks = chordal("status", "--json").json["tracks"]
    assert tracks["unchanged"] > 0
    eventually(lambda: not chordal.live_processes())


def test_a_file_that_kills_its_worker_each_time_ends_as_a_failure(chordal, tmp_path):
    # given a file that takes long enough to be caught in the act, among harmless ones
    library = tmp_path / "library"
    total = write_classes(library, per_class=2)
    poison = library / "low" / "poison.wav"
    soundfile.write(poison, sound(1, seconds=1_500.0), RATE_HZ)

    # when whoever opens it is killed, every time
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    kills = 0

    def someone_died_of_it() -> bool:
        nonlocal kills
        for process in chordal.live_processes():
            for victim in process.children():
                if any(file.path == str(poison) for file in victim.open_files()):
                    victim.kill()
                    kills += 1
        return running.poll() is not None

    eventually(someone_died_of_it, within_s=240, ignoring=(psutil.Error,), every_s=0.002)

    # then it is recorded, and the others are there
    out, err = running.communicate()
    assert running.returncode == 0, err + chordal.logs()
    assert kills >= 3
    [failure] = chordal("failures", "--json").json["failures"]
    assert failure["path"] == str(poison)
    assert (failure["kind"], failure["attempts"]) == ("crashed", 3)
    assert chordal("status", "--json").json["tracks"] == {"extracted": total, "unchanged": 0, "failed": 1}, out


@pytest.mark.skipif(
    os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="mounting a small disk takes root"
)
def test_a_full_disk_ends_the_run_in_one_line_and_loses_nothing(chordal, library, tmp_path):
    # given a home on a disk too small for the features
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no mounting here")
    chordal.home = disk / "home"
    try:
        chordal.recipe.write_text(chordal.recipe.read_text("utf-8").replace("mfcc_segments", "logmel"), "utf-8")
        result = chordal("extract", library, "--recipe", chordal.recipe)
        assert result.status == 2, result.err
        assert "Traceback" not in result.err
        last = result.err.splitlines()[-1]
        assert "No space left on device" in last
        assert chordal.live_processes() == []
        # when there is more room, the same command goes on
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        again = chordal("extract", library, "--recipe", chordal.recipe, "--json")
        assert again.status == 0, again.err + chordal.logs()
        tracks = again.json["tracks"]
        assert tracks["extracted"] + tracks["unchanged"] == 3 * PER_CLASS
        assert tracks["failed"] == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
