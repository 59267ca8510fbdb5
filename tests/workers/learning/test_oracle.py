"""Oracles as versions in the ledger: processes race for them and are killed over them, and nothing happens twice."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.learning.search.plan import plan_study
from pipeline.learning.study.oracle_state import OracleState
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import SearchPlan
from storage.home import Home
from workers.learning import oracle, study

pytestmark = pytest.mark.slow

CLIENT = Path(__file__).parents[2] / "support" / "oracle_client.py"
STUDIES = {
    "random": (ModelChoice(family="svm", features="mfcc_mean"), 8, 8),
    "bayesian": (ModelChoice(family="svm", features="mfcc_mean"), 8, 8),
    "hyperband": (ModelChoice(family="dense_search", features="mfcc_mean", fixed={"epochs": 4}), 1, 15),
}
KILLS = int(os.environ.get("CHORDAL_TEST_KILLS", "12"))


@pytest.fixture
def studies(tmp_path, plan) -> Home:
    """A home with a run for each strategy, its study created."""
    home = Home(tmp_path)
    for strategy, (choice, trials, _) in STUDIES.items():
        search = SearchPlan(strategy=strategy, trials=trials, factor=2)
        recipe = Recipe(name=strategy, title=strategy, models=(choice,), search=search)
        home.ledger.create(plan.replace(run_id=strategy, recipe=recipe))
        home.ledger.put_study(strategy, plan_study(recipe))
    return home


def versions(home, run_id) -> list[OracleState]:
    """Return every version of a run's only oracle."""
    folder = home.ledger.path(run_id) / "oracle" / home.ledger.study(run_id).models[0].name
    wires = [json.loads(path.read_text("utf-8")) for path in sorted(folder.iterdir())]
    return [OracleState.from_wire({name: value for name, value in wire.items() if name != "crc32"}) for wire in wires]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [0, KILLS])
def test_of_racing_and_killed_processes_no_trial_is_handed_out_twice_and_no_outcome_counts_twice(studies, kills):
    folder = studies.path

    done = subprocess.run(
        [sys.executable, CLIENT, folder, str(kills), *STUDIES], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert (int(done.stdout) > 0) == (kills > 0)
    assert [path.read_text("utf-8") for path in folder.glob("broke-*")] == []
    answers = [json.loads(line) for path in folder.glob("asked-*") for line in path.read_text("utf-8").splitlines()]
    for run_id, (_, _, expected) in STUDIES.items():
        # every trial has a configuration of its own, and it ended
        specs = studies.ledger.trials(run_id)
        assert [spec.index for spec in specs] == list(range(expected))
        assert len({json.dumps(spec.hyperparameters, sort_keys=True) for spec in specs}) == expected
        assert studies.ledger.ended_trials(run_id) == list(range(expected))
        # whoever asked for a trial, first or again, was given the same
        for _, index, hyperparameters, seed in (row for row in answers if row[0] == run_id):
            assert (hyperparameters, seed) == (specs[index].hyperparameters, specs[index].seed)
        # the versions follow on each other, each whole, and nothing in them happens twice
        history = versions(studies, run_id)
        assert [state.version for state in history] == list(range(1, len(history) + 1))
        for before, after in pairwise(history):
            assert before.reported <= after.reported
            assert before.proposed.items() <= after.proposed.items()
        last = history[-1]
        assert len(last.proposed) == len(set(last.proposed.values())) == expected
        assert set(Counter(last.state["end_order"]).values()) <= {1}
        assert len(last.state["end_order"]) == len(last.reported)
        assert sorted(last.state["start_order"]) == sorted(last.trials)
        for index in last.reported:
            assert last.trials[last.proposed[index]].score == studies.ledger.outcome(run_id, index).objective
        if run_id == "hyperband":
            rounds = Counter(spec.hyperparameters["epochs"] for spec in specs)
            assert rounds == {1: 4, 2: 5, 4: 6}


def test_a_version_that_was_taken_is_read_and_asked_again(studies, monkeypatch):
    # given somebody who is faster, once
    ledger, publish = studies.ledger, studies.ledger.put_oracle
    rivals = iter([1])

    def beaten(run_id, model, state):
        if next(rivals, None) is not None:
            assert oracle.trial_spec(Home(studies.path), run_id, 2).index == 2
        return publish(run_id, model, state)

    monkeypatch.setattr(ledger, "put_oracle", beaten)
    mine = oracle.trial_spec(studies, "bayesian", 1)

    theirs = ledger.trial("bayesian", 2)
    assert mine.hyperparameters != theirs.hyperparameters
    assert [state.proposed.keys() for state in versions(studies, "bayesian")] == [{0, 2}, {0, 1, 2}]
    # and the first trial has the defaults, though nobody asked for it yet
    assert ledger.trial("bayesian", 0).hyperparameters == {"c": 8.0, "gamma": 0.5}


def test_a_process_killed_between_the_oracle_and_the_trial_costs_nothing(studies, monkeypatch):
    ledger = studies.ledger
    monkeypatch.setattr(ledger, "put_trial", lambda spec: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        oracle.trial_spec(studies, "bayesian", 0)
    monkeypatch.undo()
    assert ledger.trial("bayesian", 0) is None

    spec = oracle.trial_spec(studies, "bayesian", 0)

    assert ledger.trial("bayesian", 0) == spec
    assert len(versions(studies, "bayesian")) == 1


def test_trials_without_a_configuration_are_known_to_be_missing(studies):
    assert study.unfinished_trials(studies, "hyperband") == list(range(15))
