"""Homes that can only be read: everything that only looks works there, and leaves no trace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import looking
import old_homes
import pytest
import read_only

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REMARK = "the home can only be read: this is the report as it was; --out FILE writes another one\n"


@pytest.fixture
def home(tmp_path) -> Path:
    """A home in which much was done, from a backup that has no empty folders."""
    old_homes.unpack(tmp_path)
    home = tmp_path / "finished"
    newest = max(path.name for path in (home / "runs").iterdir() if (path / "report.json").exists())
    (home / "runs" / newest / "report.html").write_text("the report", "utf-8")
    read_only.remove_empty_folders(home)
    return home


def look(words: list[str], home: Path, *commands: str, **more) -> dict[str, list]:
    """Return the results of some commands, or of all that only look, in a process that `words` start."""
    out = home.parent / "out"
    out.mkdir()
    done = subprocess.run(
        [*words, sys.executable, "-P", looking.__file__, str(home), str(out), *commands],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        **more,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def check(results: dict[str, list], home: Path) -> None:
    """Check what the commands said."""
    for words, (status, _, err) in results.items():
        assert (status, err.replace(REMARK, "")) == (0, ""), words
    assert REMARK in results["report"][2]
    assert results["report"][1].strip().endswith("report.html")
    assert json.loads(results["report --json"][1])["written"] is False
    status = json.loads(results["status --json"][1])
    assert (status["stage"], status["model"], "errors" in status) == ("finished", "v0002", False)
    assert status["ledger"]["extracted"] == 14
    assert "nothing is damaged" in results["store verify"][1]
    assert "diary.wav" in results["failures --csv"][1]
    written = {path.name for path in (home.parent / "out").iterdir()}
    assert {"report.html", "loudness.csv", "loudness.npz", "loudness.parquet", "mfcc_mean.h5"} <= written


def test_a_home_on_a_read_only_file_system_is_looked_at(home):
    words = read_only.mount_words(home)
    if words is None:
        pytest.skip("nobody here may mount a folder")
    before = read_only.contents(home)
    check(look(words, home), home)
    assert read_only.contents(home) == before


def test_a_home_in_which_one_may_not_write_is_looked_at(home):
    if os.geteuid() == 0 and read_only.without_root_rights() is None:
        pytest.skip("here root may write everywhere")
    with read_only.without_write_rights(home):
        before = read_only.contents(home)
        check(look([], home, preexec_fn=read_only.without_root_rights()), home)
        assert read_only.contents(home) == before


def test_nothing_is_changed_in_a_home_that_could_be_written(home):
    # given what killed commands left behind
    (home / "going").mkdir(exist_ok=True)
    (home / "going" / "one.json").write_text('{"run_id":"one"}', "ascii")
    (home / ".tmp").mkdir(exist_ok=True)
    (home / ".tmp" / "half written").touch()
    before = read_only.contents(home)
    # when
    results = look([], home, "status", "failures", "models", "schedule show", "throttle --show", "store verify")
    # then
    assert {(status, err) for status, _, err in results.values()} == {(0, "")}
    assert read_only.contents(home) == before


def test_a_command_that_writes_says_why_it_cannot_and_what_helps(home):
    if os.geteuid() == 0 and read_only.without_root_rights() is None:
        pytest.skip("here root may write everywhere")
    with read_only.without_write_rights(home):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "workers.cli", "pause", "--home", str(home)],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=read_only.without_root_rights(),
        )
    assert done.returncode == 2
    assert "cannot be written (Permission denied; check who owns" in done.stderr
    assert "space" not in done.stderr
