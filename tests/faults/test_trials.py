"""Trials through real workers: killed in the middle, hung, waiting for each other; the study ends, nothing doubled."""

import json
import os
import signal
from pathlib import Path

import pytest
from conditions import eventually
from sounds import write_classes

from storage import RunLedger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def library(tmp_path) -> Path:
    """Three easy classes."""
    write_classes(tmp_path / "library", per_class=6, seconds=1.5)
    return tmp_path / "library"


def recipe(chordal, search: str, *models: str) -> Path:
    """Write a recipe; each model is a family, with what is fixed in TOML behind a colon."""
    tables = []
    for model in models:
        family, _, fixed = model.partition(":")
        tables.append(f'[[models]]\nfamily = "{family}"\nfeatures = "mfcc_mean"\nfixed = {{ {fixed} }}\n')
    text = f'name = "made"\ntitle = "Made for a test"\n[search]\n{search}\n' + "\n".join(tables)
    chordal.recipe.write_text(text, "utf-8")
    return chordal.recipe


def test_a_trial_killed_in_the_middle_goes_on_where_it_was_and_is_not_doubled(chordal, library):
    # given a study by two workers, and a trial that has done some of its executions
    made = recipe(chordal, "trials = 3\nexecutions = 4", "forest: trees = 1500", "logistic:")
    running = chordal.start("run", library, "--recipe", made, "--workers", "2", "--json")
    ledger = RunLedger(chordal.home)
    [run_id] = eventually(ledger.run_ids)
    eventually(lambda: len(ledger.executions(run_id, 0)) >= 1, within_s=200)
    folder = ledger.path(run_id) / "executions"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    # when the process that runs it is killed
    assert ledger.outcome(run_id, 0) is None
    os.kill(ledger.starts(run_id, 0)[0].pid, signal.SIGKILL)
    out, err = running.communicate(timeout=300)
    # then the study ends
    assert running.returncode == 0, err + chordal.logs()
    result = json.loads(out)
    assert result["trials"] == {"requested": 3, "completed": 3, "failed": 0}
    # and the trial was begun again and went on: what it had done stands as it was
    outcome = ledger.outcome(run_id, 0)
    assert (outcome.attempts, len(outcome.executions)) == (2, 4)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}.items() >= before.items()
    assert [spec.index for spec in ledger.trials(run_id)] == [0, 1, 2]
    assert [len(ledger.starts(run_id, index)) for index in (1, 2)] == [1, 1]
    # and the summary tells the search
    assert result["search"]["strategy"] == "random"
    assert result["search"]["speed_up"] > 0
    assert [row["rank"] for row in result["search"]["best"]] == [1, 2, 3]
    logs = ledger.logs(run_id) / "tensorboard"
    assert sorted(path.name for path in logs.iterdir()) == [f"trial-{index:04d}" for index in range(3)]
    search = chordal("status", "--trials", "--json").json["search"]
    assert sorted(row["trial"] for row in search["ranking"]) == [0, 1, 2]


def test_a_trial_that_hangs_is_ended_at_its_limit_tried_again_and_recorded(chordal, library):
    made = recipe(chordal, "trials = 2\nlimit_s = 15\nretries = 1", "dense_mean: epochs = 1000000", "logistic:")

    result = chordal("run", library, "--recipe", made, "--workers", "2", "--json", within_s=300)

    assert result.status == 0, result.err + chordal.logs()
    assert result.json["trials"] == {"requested": 2, "completed": 1, "failed": 1}
    ledger = RunLedger(chordal.home)
    [run_id] = ledger.run_ids()
    hung, whole = (ledger.outcome(run_id, index) for index in range(2))
    assert (hung.state, hung.attempts, hung.reason) == ("failed", 2, "not done after 15 s")
    assert whole.state == "completed"
    assert result.json["model"]["family"] == "logistic"


def test_hyperbands_trials_wait_for_each_other_without_holding_a_worker(chordal, library):
    made = recipe(
        chordal,
        'strategy = "hyperband"\nfactor = 2\ntrials = 2',
        "dense_search: epochs = 2, batch = 4",
        "svm:",
    )

    result = chordal("run", library, "--recipe", made, "--workers", "2", "--json", within_s=300)

    assert result.status == 0, result.err + chordal.logs()
    assert result.json["trials"] == {"requested": 7, "completed": 7, "failed": 0}
    text = chordal("status", "--trials").out
    assert "search: hyperband, 7 trials" in text
    assert "it has no epochs to ration: searched at random" in text
    ledger = RunLedger(chordal.home)
    [run_id] = ledger.run_ids()
    epochs = sorted(spec.hyperparameters.get("epochs", 0) for spec in ledger.trials(run_id))
    assert epochs == [0, 0, 1, 1, 2, 2, 2]
    assert [len(ledger.starts(run_id, index)) for index in range(7)] == [1] * 7
