"""What doctor finds, and that it leaves nothing behind."""

import errno
import json
import os
import resource
import subprocess
import sys

import pytest
from click.testing import CliRunner

from storage import home as storage_home
from workers.cli.setup import doctor as doctor_module
from workers.cli.setup import home_checks, host_checks

NAMES = ["home", "kernels", "user", "temporary files", "shared memory", "open files", "memory", "broker"]


def doctor(*arguments):
    """Return the findings by their names."""
    ended = CliRunner().invoke(doctor_module.doctor, ["--json", *map(str, arguments)])
    found = json.loads(ended.stdout)
    assert ended.exit_code == (0 if found["fine"] else 1)
    return {check["check"]: check for check in found["checks"]}


def test_every_check_has_a_line_and_a_home_that_is_not_there_is_not_there_afterwards(tmp_path):
    found = doctor("--home", tmp_path / "new" / "home")
    assert set(NAMES) <= set(found)
    assert found["home"]["fine"]
    assert "locked and linked in" in found["home"]["found"]
    assert not list(tmp_path.iterdir())


def test_a_home_that_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "runs").mkdir()
    assert doctor("--home", tmp_path)["home"]["fine"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_check_that_breaks_is_a_line_to_mend_and_keeps_no_other_from_being_made(tmp_path, monkeypatch):
    def shared_memory(_home, _broker):
        raise ZeroDivisionError("of some\nkind")

    checks = [shared_memory if check is host_checks.shared_memory else check for check in doctor_module.CHECKS]
    monkeypatch.setattr(doctor_module, "CHECKS", tuple(checks))
    found = doctor("--home", tmp_path)
    assert set(NAMES) <= set(found)
    assert not found["shared memory"]["fine"]
    assert found["shared memory"]["found"] == "cannot be checked (ZeroDivisionError: of some kind)"


@pytest.mark.parametrize(
    ("call", "number", "found", "mend"),
    [
        ("flock", errno.ENOLCK, "its file system has no locks", "mount it with locks"),
        ("fsync", errno.EROFS, "cannot be written (Read-only file system)", "mount its file system for writing"),
        ("fsync", errno.EACCES, "cannot be written (Permission denied)", "check who owns the folder"),
        ("fsync", errno.ENOSPC, "cannot be written (No space left on device)", "free some space"),
    ],
)
def test_what_the_work_cannot_do_in_a_home_is_found_with_the_mend(tmp_path, monkeypatch, call, number, found, mend):
    def fail(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(storage_home.fcntl if call == "flock" else storage_home.os, call, fail)
    finding = home_checks.home(str(tmp_path), None)
    assert not finding.fine
    assert found in finding.found
    assert finding.mend.startswith(mend)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write to everybody's folders")
def test_a_folder_of_the_home_that_another_user_made_is_named(tmp_path):
    (tmp_path / "store").mkdir(mode=0o555)
    (tmp_path / "cache-1").mkdir(mode=0o500)  # another one's
    finding = home_checks.home(str(tmp_path), None)
    assert finding.found == f"{tmp_path}: store cannot be written by this user"


def test_too_few_open_files_are_found_with_the_need(monkeypatch, tmp_path):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    finding = host_checks.open_files(str(tmp_path), None)
    assert not finding.fine
    assert finding.found.startswith("64 are allowed, ")
    assert "ulimit -n" in finding.mend


def test_few_watches_are_found_and_a_system_without_such_a_limit_has_no_line(monkeypatch, tmp_path):
    monkeypatch.setattr(host_checks, "INOTIFY", tmp_path)
    assert host_checks.watched_folders("", None) is None
    (tmp_path / "max_user_watches").write_text("128\n", "ascii")
    finding = host_checks.watched_folders("", None)
    assert finding is not None
    assert not finding.fine
    assert "max_user_watches" in finding.mend


@pytest.mark.slow
def test_kernels_that_are_in_no_cache_are_not_compiled_by_a_check(tmp_path):
    # given another copy of the installation, as a wheel brings it
    program = (
        "import sys; sys.argv = ['doctor']\n"
        "from pathlib import Path\n"
        "from pipeline.kernels import cache\n"
        "cache.source_stamp = lambda source: b'of another version'\n"
        "from workers.cli.setup import home_checks\n"
        f"print(home_checks.kernels({str(tmp_path)!r}, None).found)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(
        "not all compiled for this installation yet: the first worker does that, once, into "
    )
    assert not list(tmp_path.iterdir())
