"""Whoever is named is told how a command ended that works long."""

import sys

import pytest
import receivers
from homes import study_home

from pipeline.errors import CancelledError, UsageError
from pipeline.plans.recipe import load_recipe
from storage.home import Home
from workers.cli.runs.end_notice import tell_end
from workers.cli.runs.request import command_line
from workers.notices.targets import parse_targets


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and a command line that names a secret."""
    monkeypatch.setattr(sys, "argv", ["chordal", "train", "--notify", "https://ntfy.sh/secret"])
    return Home(tmp_path)


def begin_run(home) -> None:
    """Begin a run as the command would."""
    plan = study_home(home.path, load_recipe("quick"), tracks=6)
    (home.ledger.path(plan.run_id) / "plan.json").unlink()
    home.ledger.create(plan.replace(command=command_line()))


def end(home, url, error=None, **how) -> None:
    with tell_end(home, parse_targets([url]), "train", **how):
        begin_run(home)
        if error is not None:
            raise error


def test_a_run_that_finished_is_told_with_what_it_was(home):
    with receivers.web() as page:
        end(home, page.url)
    [notice] = page.bodies
    assert (notice["event"], notice["work"], notice["run_id"]) == ("finished", "train", "r1")
    assert notice["text"] == "run r1 finished"


@pytest.mark.parametrize(
    ("error", "event", "reason", "mend"),
    [
        (UsageError("library /music: is no folder; mount it"), "failed", "library /music: is no folder", "mount it"),
        (RuntimeError("a bug"), "failed", "a bug", ""),
        (CancelledError("run r1: cancelled; what was finished is kept"), "cancelled", "run r1: cancelled", None),
        (KeyboardInterrupt(), "cancelled", "somebody stopped it", ""),
    ],
)
def test_a_run_that_did_not_finish_is_told_with_the_reason_and_ends_as_it_would(home, error, event, reason, mend):
    with receivers.web() as page, pytest.raises(type(error)):
        end(home, page.url, error)
    [notice] = page.bodies
    assert (notice["event"], notice["run_id"], notice["reason"]) == (event, "r1", reason)
    assert mend is None or notice["mend"] == mend


def test_a_watch_that_somebody_ends_tells_nobody_and_one_that_dies_does(home):
    with receivers.web() as page:
        end(home, page.url, when_done=False)
        with pytest.raises(KeyboardInterrupt):
            end(Home(home.path / "other"), page.url, KeyboardInterrupt(), when_done=False)
        assert page.bodies == []
        with pytest.raises(UsageError), tell_end(home, parse_targets([page.url]), "watch", when_done=False):
            raise UsageError("no broker; start one")
    assert page.bodies[0]["text"] == "watch failed: no broker"


def test_one_who_cannot_be_told_changes_nothing_but_a_line(home, capsys):
    with receivers.web(404) as page:
        end(home, page.url)
    assert capsys.readouterr().err == (
        f"notice of finished to http://127.0.0.1:{page.port}/*** failed: answered 404 Not Found\n"
    )


def test_one_who_hangs_is_left_soon_when_somebody_has_stopped_the_command(home, tmp_path, monkeypatch):
    from workers.cli.runs import end_notice

    monkeypatch.setattr(end_notice, "CANCELLED_S", 0.3)
    hanging = receivers.command(tmp_path / "commands", "sleep 300")
    with pytest.raises(KeyboardInterrupt):
        end(home, str(hanging), KeyboardInterrupt())


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["--notify", "https://ntfy.sh/secret"], ["--notify", "https://ntfy.sh/***"]),
        (["--notify=https://ntfy.sh/secret"], ["--notify=https://ntfy.sh/***"]),
        (["--notify", "/bin/sh -c secret"], ["--notify", "/bin/sh ***"]),
        (["--notify", "ftp://secret"], ["--notify", "***"]),
        (["--notify", "none"], ["--notify", "none"]),
    ],
)
def test_the_command_line_that_a_report_shows_has_no_secret(monkeypatch, words, kept):
    monkeypatch.setattr(sys, "argv", ["chordal", "run", "music", *words])
    assert command_line() == ("chordal", "run", "music", *kept)
