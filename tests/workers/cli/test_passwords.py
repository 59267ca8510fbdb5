"""Passwords in the addresses of a command line are in nothing that a command shows or keeps of it."""

import sys

from click.testing import CliRunner

from workers.cli.runs.request import command_line
from workers.cli.service.schedule import schedule
from workers.schedule.nights import Nights, Schedule


def test_the_command_that_a_run_remembers_has_no_password(monkeypatch):
    words = [
        "run", "/music/a@b", "--broker", "sentinel://a/0?master_name=m&sentinel_password=secret",
        "--broker=redis://:se/secret@host/0", "--mlflow", "http://me:se#secret@host:5000", "--labels", "csv:a.csv",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["chordal", *words])
    assert command_line() == (
        "chordal", "run", "/music/a@b", "--broker", "sentinel://a/0?master_name=m&sentinel_password=***",
        "--broker=redis://:***@host/0", "--mlflow", "http://me:***@host:5000", "--labels", "csv:a.csv",
    )  # fmt: skip


def test_a_schedule_is_shown_without_its_password(tmp_path):
    since = "2026-01-01T00:00:00+00:00"
    plan = Schedule(since=since, timezone="UTC", libraries=("/music",), tracking="http://me:secret@host:5000")
    Nights(tmp_path).put_schedule(plan)
    for options in ([], ["--json"]):
        shown = CliRunner().invoke(schedule, ["show", "--home", str(tmp_path), *options], catch_exceptions=False)
        assert "http://me:***@host:5000" in shown.output
        assert "secret" not in shown.output
