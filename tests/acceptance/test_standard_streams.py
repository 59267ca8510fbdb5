"""Standard output, error and input that are closed, full, gone, or know no such letters."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import brokers
import pytest
from homes import small_home
from sounds import write_classes

from pipeline.library.tracks import Failure
from storage.testing.samples import record

pytestmark = pytest.mark.slow

FULL = Path("/dev/full")
full = pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")

SAID = "standard output: cannot be written (No space left on device)"

COMMANDS = ("", "--version", "status --help", "completion bash", "recipes", "status", "status --json", "failures --csv")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with some tracks, of which one failed and has a name that no terminal shows."""
    home = tmp_path_factory.mktemp("streams")
    store = small_home(home)
    store.commit(record("/music/caf\u00e9 \udcff.wav", None, failure=Failure(kind="empty", reason="z\u00e9ro")), {}, {})
    return home


def run(home: Path, words: str, *, redirected: str = "", **more) -> subprocess.CompletedProcess[str]:
    """Run a command by a shell that may redirect its streams."""
    command = [sys.executable, "-P", "-m", "workers.cli", *words.split()]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    environment = {**os.environ, "CHORDAL_HOME": str(home), **given.pop("env", {})}
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *command], text=True, check=False, env=environment, **given
    )


@full
@pytest.mark.parametrize("words", COMMANDS)
def test_a_full_output_is_told_in_one_line(home, words):
    result = run(home, words, redirected="> /dev/full")
    assert (result.returncode, result.stderr) == (1, f"chordal: {SAID}\n")


@pytest.mark.parametrize("words", COMMANDS)
def test_closed_streams_are_like_dev_null(home, words):
    result = run(home, words, redirected=">&- 2>&- <&-")
    assert result.returncode == 0


def test_a_closed_output_is_no_error(home):
    result = run(home, "status", redirected=">&-")
    assert (result.returncode, result.stderr) == (0, "")


@full
def test_a_full_output_and_a_full_error_end_a_command_all_the_same(home):
    assert run(home, "status", redirected="> /dev/full 2>&1").returncode == 1
    assert run(home, "stauts", redirected="2> /dev/full").returncode == 2
    assert run(home, "stauts", redirected=">&- 2>&-").returncode == 2


def test_a_reader_that_has_gone_is_no_error(home):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = run(home, "features --json", stdout=writing)
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere a terminal that has gone takes what it gets"
)
def test_a_terminal_that_has_gone_is_told(home):
    master, terminal = pty.openpty()
    os.close(master)
    try:
        result = run(home, "status", stdout=terminal)
    finally:
        os.close(terminal)
    assert (result.returncode, result.stderr) == (
        1,
        "chordal: standard output: cannot be written (Input/output error)\n",
    )


@pytest.mark.parametrize("words", ["failures", "failures --csv", "failures --json", "status", "recipes"])
def test_letters_that_the_output_does_not_know_are_escaped(home, words):
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = run(home, words, env=ascii_only)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.isascii()
    for name in ("\\udcff.wav", "ro") if "failures" in words else ():
        assert name in result.stdout


@full
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_work_goes_on_when_its_progress_cannot_be_written(tmp_path, unbuffered):
    write_classes(tmp_path / "library", per_class=2, seconds=0.2)
    result = run(
        tmp_path / "home",
        f"scan {tmp_path / 'library'}",
        redirected="2> /dev/full",
        env={"PYTHONUNBUFFERED": unbuffered},
    )
    assert (result.returncode, "6 scanned" in result.stdout) == (1, True)
    again = run(tmp_path / "home", "status --json")
    assert json.loads(again.stdout)["ledger"]["pending"] == 6


def test_what_a_command_opens_is_never_its_output(tmp_path):
    # given a command whose first file would have the number of the output
    write_classes(tmp_path / "library", per_class=2, seconds=0.2)
    result = run(tmp_path / "home", f"scan {tmp_path / 'library'} --json", redirected="<&- >&- 2>&-")
    assert result.returncode == 0
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"scanned" in path.read_bytes()]


@full
def test_a_worker_works_though_nothing_that_it_says_can_be_written(tmp_path):
    # given a worker whose log is on a full disk
    write_classes(tmp_path / "library", per_class=2, seconds=0.2)
    home = tmp_path / "home"
    with brokers.valkey(tmp_path / "server") as port:
        broker = f"redis://127.0.0.1:{port}/0"
        words = ["worker", "--home", home, "--broker", broker, "--concurrency", "1"]
        with FULL.open("w") as log:
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "workers.cli", *map(str, words)], stdout=log, stderr=log
            )
        try:
            # when a run needs it, then all is extracted
            result = run(home, f"extract {tmp_path / 'library'} --broker {broker} --json")
            assert result.returncode == 0, result.stderr
            assert json.loads(result.stdout)["tracks"]["extracted"] == 6
        finally:
            worker.terminate()
        assert worker.wait(60) == 1
