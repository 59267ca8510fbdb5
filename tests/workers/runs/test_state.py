from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plans.recipe import load_recipe
from pipeline.plans.run import RunPlan
from storage.home import Home
from workers.runs.state import RunState, Step

NUMBERS = st.frozensets(st.integers(0, 5))

PLAN = RunPlan(
    run_id="r1",
    command=(),
    libraries=("/music",),
    recipe=load_recipe("quick"),
    labels="folder",
    groups=None,
    folds=None,
    seed=1,
    sequence=1,
    created="2026-01-01T00:00:00+00:00",
)


def state(*, extract: bool = True, learn: bool = True, **parts) -> RunState:
    """Return a state whose home nobody reads."""
    return RunState(home=Home(Path("/nowhere")), plan=PLAN.replace(extract=extract, learn=learn), **parts)


def test_a_run_that_is_still_scanning_needs_nothing():
    assert state(shards=None).missing_steps() == []


def test_an_unsealed_shard_is_published_again():
    assert state(shards=3, sealed=frozenset({0, 2})).missing_steps() == [Step(kind="shard", numbers=(1,))]


def test_a_sealed_library_without_a_study_gets_one():
    assert state(shards=1, sealed=frozenset({0})).missing_steps() == [Step(kind="plan")]


def test_only_trials_without_an_outcome_are_published_again():
    found = state(shards=0, trials=frozenset({0, 1, 2}), ended_trials=frozenset({1}))
    assert found.missing_steps() == [Step(kind="trials", numbers=(0, 2))]


def test_a_study_whose_trials_have_all_ended_is_finished():
    found = state(shards=0, trials=frozenset({0}), ended_trials=frozenset({0}))
    assert found.missing_steps() == [Step(kind="finish")]


def test_learning_from_what_is_stored_publishes_no_file():
    assert state(shards=4, extract=False).missing_steps() == [Step(kind="plan")]


@given(
    shards=st.none() | st.integers(0, 5),
    sealed=NUMBERS,
    learn=st.booleans(),
    trials=st.none() | NUMBERS,
    ended_trials=NUMBERS,
    has_report=st.booleans(),
    has_page=st.booleans(),
    failure=st.none() | st.just("no two classes"),
)
def test_a_sweep_asks_for_one_kind_of_work_and_only_for_what_is_missing(**parts):
    found = state(**parts)
    steps = found.missing_steps()
    assert len({step.kind for step in steps}) <= 1
    assert not (steps and found.ended)
    numbers = {number for step in steps for number in step.numbers}
    assert not numbers & (found.sealed if steps and steps[0].kind == "shard" else found.ended_trials)


@pytest.mark.parametrize(
    ("parts", "stage"),
    [
        ({"shards": None}, "scan"),
        ({"shards": 2, "sealed": frozenset({1})}, "extract"),
        ({"shards": 1, "sealed": frozenset({0})}, "trials"),
        ({"shards": 1, "extract": False}, "trials"),
        ({"shards": 0, "trials": frozenset({0, 1}), "ended_trials": frozenset({1})}, "trials"),
        ({"shards": 0, "trials": frozenset({0}), "ended_trials": frozenset({0})}, "final"),
        ({"shards": 0, "learn": False}, "finished"),
        ({"shards": 1, "has_report": True, "cancelled": True}, "finished"),
        ({"shards": 1, "has_report": True, "failure": "no two classes"}, "failed"),
        ({"shards": None, "cancelled": True}, "cancelled"),
    ],
)
def test_the_stage_follows_from_what_is_written(parts, stage):
    assert state(**parts).stage == stage


def test_a_run_has_ended_when_its_last_document_is_there():
    assert not state(shards=0, has_report=True).ended, "the worker still writes the page"
    assert state(shards=0, has_report=True, has_page=True).ended
    assert state(shards=None, failure="no two classes").ended
