"""What a command finds out before it starts anything: one line with the mend, exit status 2, and no process."""

import subprocess
import sys

import pytest
from homes import small_home

pytestmark = pytest.mark.slow

PROGRAM = """
import errno, fcntl, multiprocessing, os, pathlib
def fail(*_arguments, **_options):
    raise OSError(errno.{number}, os.strerror(errno.{number}))
{owner} = fail
from workers.cli import main
main({words!r})
"""
FAULTS = {
    "no locks": ("fcntl.flock", "ENOLCK", "its file system has no locks"),
    "no hard links": ("pathlib.Path.hardlink_to", "EPERM", "its file system makes no hard links"),
    "no shared memory": ("multiprocessing.get_context", "EROFS", "shared memory: no lock can be made"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", ["extract", "up", "watch"])
def test_a_command_that_could_start_no_worker_ends_with_one_line_and_leaves_no_log(tmp_path, fault, command):
    (tmp_path / "library").mkdir()
    owner, number, line = FAULTS[fault]
    words = [command, *([] if command == "up" else [str(tmp_path / "library")]), "--home", str(tmp_path / "home")]
    words += ["--no-flower", "--no-metrics"] if command == "up" else []
    program = PROGRAM.format(owner=owner, number=number, words=words)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("chordal: ")
    assert line in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not list((tmp_path / "home" / "logs").iterdir())


@pytest.mark.parametrize("words", [["retry", "--kind", "timeout"], ["store", "verify"], ["status"]], ids=" ".join)
def test_a_home_without_locks_gives_no_traceback_whatever_the_command(tmp_path, words):
    small_home(tmp_path)
    program = PROGRAM.format(owner="fcntl.flock", number="ENOLCK", words=[*words, "--home", str(tmp_path)])
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr
    assert ended.returncode in {0, 2}
