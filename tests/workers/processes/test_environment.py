"""The folders that libraries get where a user has none."""

import getpass
import os
import pwd

import pytest

from pipeline.errors import UsageError
from workers.processes import environment
from workers.processes.environment import expand_home, prepare_process, set_user_environment, user_folder


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Whatever a test sets is gone after it."""
    for name in ("HOME", *environment.TEMPORARY, *environment.NAMES):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def no_entry(number):
    raise KeyError(number)


@pytest.mark.parametrize("given", ["/nonexistent", "", "~", "relative", "/dev/null"])
def test_a_home_folder_that_cannot_be_written_is_replaced_by_one_below_the_home(tmp_path, monkeypatch, given):
    monkeypatch.setenv("HOME", given)
    set_user_environment(tmp_path)
    assert os.environ["HOME"] == str(user_folder(tmp_path))
    assert not list(tmp_path.iterdir())  # nobody may need it
    prepare_process(tmp_path)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o700]


def test_a_user_whom_the_host_does_not_know_gets_one_too(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    set_user_environment(tmp_path)
    assert os.environ["HOME"] == str(user_folder(tmp_path))
    assert getpass.getuser() == str(os.getuid())


def test_a_home_folder_that_can_be_written_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    set_user_environment(tmp_path / "home")
    assert os.environ["HOME"] == str(tmp_path)


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/nonexistent")
    (tmp_path / "home").touch()
    prepare_process(tmp_path / "home")
    assert os.environ["HOME"] == str(user_folder(tmp_path / "home"))


def test_a_tilde_that_stands_for_no_folder_is_refused_in_one_line(monkeypatch):
    with pytest.raises(UsageError, match=r"home ~nobody-of-this-name/h: .* write the whole path"):
        expand_home("~nobody-of-this-name/h")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    with pytest.raises(UsageError, match="write the whole path"):
        expand_home("~/home")
