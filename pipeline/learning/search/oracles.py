"""KerasTuner's oracles as values: a state and what happened since go in, the next state and a configuration come out.

KerasTuner keeps an oracle in one process and in files of its own. Here nothing is kept: every call makes an oracle from
its state, tells it the outcomes it does not know, asks it once, and returns the state it then has. Whoever publishes
that state as the next version, of all who tried, has asked; the others begin again with the version that is there.
"""

import copy
import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from pipeline.learning.search.keras_oracles import forget, kinds, quiet
from pipeline.learning.search.spaces import Parameter, default_configuration, to_keras_tuner
from pipeline.learning.study.trials import TrialOutcome
from pipeline.plans.recipe import Scalar, Strategy
from pipeline.wire import Value

OBJECTIVE = "validation_accuracy"

_COLLISIONS = 500
"""Draws in a row that were drawn before, after which a space counts as exhausted; KerasTuner's 20 leave some out."""
_ALONE = "0"
"""The id of a trial that is the only one of its search."""
_PRIVATE = "tuner/"
"""How the names begin that Hyperband adds to a configuration."""


class Search(Value, frozen=True, kw_only=True):
    """What an oracle is to search."""

    oracle: Strategy
    space: tuple[Parameter, ...]
    trials: tuple[int, ...]
    """Indices of the trials that will ask, ascending."""
    seed: int
    epochs: int = 1
    """Of `hyperband`: what a configuration that comes through to the end is given."""
    factor: int = 3


class OracleTrial(Value, frozen=True, kw_only=True):
    """A trial as its oracle knows it."""

    index: int
    """Which of the study's trials it is."""
    values: dict[str, Scalar]
    status: str
    """KerasTuner's word: RUNNING, COMPLETED or FAILED."""
    score: float | None = None
    message: str | None = None


class OracleState(Value, frozen=True, kw_only=True):
    """All there is to an oracle."""

    version: int = 0
    state: dict[str, Any] = {}
    """KerasTuner's own; empty before the first question."""
    trials: dict[str, OracleTrial] = {}
    """By the oracle's own ids, in the order in which they were handed out."""

    @property
    def handed(self) -> dict[int, str]:
        """The oracle's ids of the trials that were handed out, by index."""
        return {trial.index: name for name, trial in self.trials.items()}

    @property
    def told(self) -> frozenset[int]:
        """The indices of the trials whose outcome the oracle knows."""
        return frozenset(trial.index for trial in self.trials.values() if trial.status != "RUNNING")

    def values(self, index: int) -> dict[str, Scalar]:
        """Return the configuration of a trial that was handed out, without what the oracle noted in it."""
        return {
            name: value
            for name, value in self.trials[self.handed[index]].values.items()
            if not name.startswith(_PRIVATE)
        }

    def noted(self, index: int) -> dict[str, Scalar]:
        """Return what the oracle noted in a trial: Hyperband's epochs, bracket and round, `trial_id` of its origin."""
        values = self.trials[self.handed[index]].values
        return {name.removeprefix(_PRIVATE): value for name, value in values.items() if name.startswith(_PRIVATE)}


Answer = Literal["handed", "wait", "exhausted"]
"""The trial has a configuration; it may get one when others have ended; there is none left for it."""


def advance(
    search: Search, state: OracleState, outcomes: Iterable[TrialOutcome], index: int
) -> tuple[OracleState, Answer]:
    """Tell an oracle the outcomes it does not know yet and ask it for a trial; return what it has become.

    A trial that was handed out keeps its configuration, and an outcome that was told is not told again: then the
    state comes back as it was. The first trial of all has the default configuration, and random ones do not depend on
    outcomes: whoever asks before them, these are handed out in the order of the indices. Equal arguments give equal
    answers.
    """
    news = [o for o in outcomes if o.spec.index in state.handed and o.spec.index not in state.told]
    before = search.trials if search.oracle == "random" else search.trials[:1]
    wanted = sorted({number for number in before if number < index} | {index})
    wanted = [number for number in wanted if number not in state.handed]
    if not news and not wanted:
        return state, "handed"
    if search.oracle != "hyperband" and len(search.trials) == 1:
        return _alone(search, state, news), "handed"
    with quiet():
        oracle = _restored(search, state)
        indices = {name: trial.index for name, trial in state.trials.items()}
        for outcome in sorted(news, key=lambda outcome: outcome.spec.index):
            _tell(oracle, state.handed[outcome.spec.index], outcome)
        answer: Answer = "handed"
        for number in wanted:
            trial = oracle.create_trial(f"trial-{number}")
            if trial.status != "RUNNING":
                answer = "wait" if trial.status == "IDLE" else "exhausted"
                break
            indices[trial.trial_id] = number
        is_other = news or len(oracle.trials) > len(state.trials)
        after = _state_of(oracle, indices, version=state.version + 1) if is_other else state
        forget(oracle)
    return after, answer


def _alone(search: Search, state: OracleState, news: Iterable[TrialOutcome]) -> OracleState:
    """Return the next state of a search of one trial, that of the defaults: there is nothing to ask an oracle.

    Starting KerasTuner takes longer than many such a trial.
    """
    values = default_configuration(search.space)
    trial = state.trials.get(_ALONE) or OracleTrial(index=search.trials[0], values=values, status="RUNNING")
    for outcome in news:
        trial = trial.replace(**_ending(outcome))
    return OracleState(version=state.version + 1, trials={_ALONE: trial})


def sweep_sizes(epochs: int, factor: int) -> list[list[tuple[int, int]]]:
    """Return what one sweep of Hyperband tries: for each bracket its rounds, each (configurations, epochs of each).

    The numbers are KerasTuner's; `epochs` is what a configuration that comes through to the end is given.
    """
    brackets, left = 0, float(epochs)
    while left >= 1:
        left /= factor
        brackets += 1
    end = math.ceil(1 + math.log(epochs, factor))

    def size(bracket: int, turn: int) -> tuple[int, int]:
        power = factor ** (bracket - turn)
        return math.ceil(end / (bracket + 1) * power), math.ceil(epochs / power)

    return [[size(bracket, turn) for turn in range(bracket + 1)] for bracket in reversed(range(brackets))]


def _restored(search: Search, state: OracleState) -> Any:
    """Return KerasTuner's oracle as a state describes it, a new one for the first state."""
    import keras_tuner
    from keras_tuner.engine.trial import Trial

    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        # An oracle takes a seed of 0 for none.
        "seed": search.seed % 2**32 + 1,
        "hyperparameters": to_keras_tuner(search.space, keras_tuner.HyperParameters()),
        # A study goes on however many of its trials fail in a row; the limit would raise in the middle of a task.
        "max_consecutive_failed_trials": len(search.trials) + 1,
    }
    kind = kinds()[search.oracle]
    if search.oracle == "hyperband":
        oracle = kind(max_epochs=search.epochs, factor=search.factor, **common)
    elif search.oracle == "bayesian":
        oracle = kind(max_trials=len(search.trials), num_initial_points=_initial_points(search), **common)
    else:
        oracle = kind(max_trials=len(search.trials), **common)
    oracle.verbose = 0
    oracle._max_collisions = _COLLISIONS
    oracle.defaults = default_configuration(search.space)
    if state.state:
        told_state = copy.deepcopy(state.state)  # an oracle works on what it is given
        space = keras_tuner.HyperParameters.from_config(copy.deepcopy(told_state["hyperparameters"]))
        for name, told in state.trials.items():
            hyperparameters = copy.copy(space)  # one space, values of its own
            hyperparameters.values = dict(told.values)
            trial = Trial(hyperparameters, trial_id=name, status=told.status, message=told.message)
            trial.score = told.score
            oracle.trials[name] = trial
        oracle.set_state(told_state)
    # Bayesian search draws where it begins to climb; from the state alone, as everything else.
    oracle._random_state = np.random.RandomState((oracle.seed + len(oracle.trials)) % 2**32)
    return oracle


def _initial_points(search: Search) -> int:
    """Return how many random trials a Bayesian search begins with.

    KerasTuner's three per hyper-parameter, fixed ones not counted, but no more than half of all: else a small study
    would never come to learn anything.
    """
    free = sum(parameter.kind != "fixed" for parameter in search.space)
    return max(2, min(3 * free, math.ceil(len(search.trials) / 2)))


def _tell(oracle: Any, name: str, outcome: TrialOutcome) -> None:
    trial = oracle.trials[name]
    ending = _ending(outcome)
    if ending["score"] is not None:
        oracle.update_trial(name, {OBJECTIVE: ending["score"]})
    trial.status, trial.message = ending["status"], ending["message"]
    oracle.end_trial(trial)


def _ending(outcome: TrialOutcome) -> dict[str, Any]:
    """Return what an outcome makes of an `OracleTrial`."""
    if outcome.state == "completed" and math.isfinite(outcome.objective):
        return {"status": "COMPLETED", "score": outcome.objective, "message": None}
    return {"status": "FAILED", "score": None, "message": outcome.reason}


def _state_of(oracle: Any, indices: dict[str, int], *, version: int) -> OracleState:
    """Return an oracle as a value; `indices` are those of its trials, by its ids."""
    told = oracle.get_state()
    # A set comes out in another order in every process.
    told["tried_so_far"] = sorted(told["tried_so_far"])
    return OracleState(
        version=version,
        state=_plain(told),
        trials={
            name: OracleTrial(
                index=indices[name],
                values=_plain(trial.hyperparameters.values),
                status=trial.status,
                score=None if trial.score is None else float(trial.score),
                message=trial.message,
            )
            for name, trial in oracle.trials.items()
        },
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON can carry it: NumPy's numbers as Python's, tuples as lists."""
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value
