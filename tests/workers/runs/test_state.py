from hypothesis import given
from hypothesis import strategies as st

from workers.runs.state import RunState, Step, missing_steps

NUMBERS = st.frozensets(st.integers(0, 5))


def test_a_run_that_is_still_scanning_needs_nothing():
    assert missing_steps(RunState(shards=None)) == []


def test_an_unsealed_shard_is_published_again():
    state = RunState(shards=3, sealed=frozenset({0, 2}))
    assert missing_steps(state) == [Step(kind="shard", numbers=(1,))]


def test_a_sealed_library_without_a_study_gets_one():
    assert missing_steps(RunState(shards=1, sealed=frozenset({0}))) == [Step(kind="plan")]


def test_only_trials_without_an_outcome_are_published_again():
    state = RunState(shards=0, trials=frozenset({0, 1, 2}), outcomes=frozenset({1}))
    assert missing_steps(state) == [Step(kind="trials", numbers=(0, 2))]


def test_a_study_whose_trials_have_all_ended_is_finished():
    state = RunState(shards=0, trials=frozenset({0}), outcomes=frozenset({0}))
    assert missing_steps(state) == [Step(kind="finish")]


def test_learning_from_what_is_stored_publishes_no_file():
    assert missing_steps(RunState(shards=4, extract=False)) == [Step(kind="plan")]


@given(
    shards=st.none() | st.integers(0, 5),
    sealed=NUMBERS,
    learn=st.booleans(),
    trials=st.none() | NUMBERS,
    outcomes=NUMBERS,
    ended=st.booleans(),
)
def test_a_sweep_asks_for_one_kind_of_work_and_only_for_what_is_missing(shards, sealed, learn, trials, outcomes, ended):
    state = RunState(shards=shards, sealed=sealed, learn=learn, trials=trials, outcomes=outcomes, ended=ended)
    steps = missing_steps(state)
    assert len({step.kind for step in steps}) <= 1
    assert not (steps and ended)
    asked = {number for step in steps for number in step.numbers}
    assert not asked & (sealed if steps and steps[0].kind == "shard" else outcomes)
