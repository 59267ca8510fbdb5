"""A search interrupted at any moment, by any signal: the same command goes on with it and ends as if whole."""

import json
import os
import signal
from contextlib import suppress

import psutil
import pytest
from conditions import eventually
from sounds import write_classes

from storage import RunLedger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RECIPE = """
name = "made"
title = "Made for a test"
[search]
trials = 4
executions = 3
[[models]]
family = "forest"
features = "mfcc_mean"
[models.fixed]
trees = 600
"""


def stop(chordal, running, number: signal.Signals) -> str:
    """Interrupt a command by a signal, or kill it with all it started; return what it printed to stderr."""
    os.kill(running.pid, number)
    if number == signal.SIGKILL:
        for process in chordal.live_processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
    else:
        eventually(lambda: running.poll() is not None, within_s=200, every_s=0.2)
    _, err = running.communicate(timeout=200)
    assert running.returncode != 0
    eventually(lambda: chordal.live_processes() == [], within_s=60)
    return err


def outcomes(ledger: RunLedger, run_id: str) -> dict:
    return {each.spec.index: (each.spec.hyperparameters, each.objective) for each in ledger.outcomes(run_id)}


def test_whatever_signal_stops_it_at_whatever_moment_the_same_command_goes_on(chordal, tmp_path):
    write_classes(tmp_path / "library", per_class=6, seconds=1.5)
    chordal.recipe.write_text(RECIPE, "utf-8")
    words = ("run", tmp_path / "library", "--recipe", chordal.recipe, "--workers", "1", "--json")
    ledger = RunLedger(chordal.home)
    done: dict = {}

    def newest() -> str:
        return ledger.run_ids()[-1]

    moments = (
        # before the first trial has ended
        (signal.SIGINT, lambda: ledger.starts(newest(), 0)),
        # in the middle of a trial
        (signal.SIGKILL, lambda: ledger.executions(newest(), 1)),
        # between two trials
        (signal.SIGTERM, lambda: len(ledger.ended_trials(newest())) >= 3),
        # in the final training
        (signal.SIGKILL, lambda: len(ledger.ended_trials(newest())) == 4),
        # while the report is written
        (signal.SIGTERM, lambda: ledger.has_report(newest())),
    )
    for at, (number, moment) in enumerate(moments):
        running = chordal.start(*words)
        eventually(lambda expected=at + 1: len(ledger.run_ids()) == expected)
        eventually(lambda: ledger.study(newest()), within_s=200)
        eventually(moment, within_s=200, every_s=0.02)
        err = stop(chordal, running, number)
        if number != signal.SIGKILL:
            is_whole = (ledger.path(newest()) / "report.html").exists()
            said = "was complete" if is_whole else "the same command goes on from there"
            assert said in err
        after = outcomes(ledger, newest())
        # what had ended before is there, and was not begun again
        assert after.items() >= done.items()
        study = ledger.study(newest())
        assert set(study.taken_over) == set(done)
        assert [ledger.starts(newest(), index) for index in done] == [[] for _ in done]
        done = after
    assert len(done) == 4
    if (ledger.path(newest()) / "report.html").exists():
        (ledger.path(newest()) / "report.html").unlink()  # the signal came when the page was there already

    last = chordal(*words)

    assert last.status == 0, last.err + chordal.logs()
    assert last.json["taken_over"] == 4
    assert last.json["continues"] == ledger.run_ids()[-2]
    assert last.json["trials"] == {"requested": 4, "completed": 4, "failed": 0}
    assert outcomes(ledger, newest()) == done
    trials = chordal("status", "--trials").out
    assert "4 of 4 trials were taken over" in " ".join(trials.split())
    page = (ledger.path(newest()) / "report.html").read_text("utf-8")
    assert f"goes on with run {last.json['continues']}" in page
    # a run that came to its end is not gone on with
    assert "continues" not in json.loads(chordal(*words).out)
