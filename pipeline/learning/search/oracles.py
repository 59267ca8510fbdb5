"""KerasTuner's oracles as values: a state and what happened since go in, the next state and a configuration come out.

KerasTuner keeps an oracle in one process and in files of its own. Here nothing is kept: every call makes an oracle from
its state, reports the new outcomes to it, requests one trial, and returns its next state. The process that publishes
that state as the next version has its trial; the others begin again with the published version.
"""

import copy
import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from pipeline.learning.search.keras_oracles import oracle_classes, quiet_keras_tuner, release
from pipeline.learning.search.spaces import Parameter, default_configuration, to_keras_tuner
from pipeline.learning.study.oracle_state import OracleState, OracleTrial
from pipeline.learning.study.trials import TrialOutcome
from pipeline.plans.search import Strategy
from pipeline.wire import Value

OBJECTIVE = "validation_accuracy"

_COLLISIONS = 500
"""Draws in a row that were drawn before, after which a space counts as exhausted; KerasTuner's 20 leave some out."""
_SINGLE = "0"
"""The id of a trial that is the only one of its search."""


class Search(Value, frozen=True, kw_only=True):
    """The space and the trials of one oracle."""

    oracle: Strategy
    space: tuple[Parameter, ...]
    trials: tuple[int, ...]
    """Indices of its trials, ascending."""
    seed: int
    epochs: int = 1
    """Of `hyperband`: the epochs of a configuration that comes through to the end."""
    factor: int = 3


Answer = Literal["proposed", "wait", "exhausted"]
"""The trial has a configuration; it may get one when others have ended; there is none left for it."""


def advance(
    search: Search, state: OracleState, outcomes: Iterable[TrialOutcome], index: int
) -> tuple[OracleState, Answer]:
    """Report new outcomes to an oracle and request a trial from it; return its next state.

    A trial that was proposed keeps its configuration, and an outcome is reported once: where both are old, the state
    is returned unchanged. The first trial of all has the default configuration, and random ones do not depend on
    outcomes: those before the requested one are proposed first, in the order of the indices. Equal arguments give
    equal answers.
    """
    new_outcomes = [o for o in outcomes if o.spec.index in state.proposed and o.spec.index not in state.reported]
    independent = search.trials if search.oracle == "random" else search.trials[:1]
    numbers = sorted({number for number in independent if number < index} | {index})
    numbers = [number for number in numbers if number not in state.proposed]
    if not new_outcomes and not numbers:
        return state, "proposed"
    if search.oracle != "hyperband" and len(search.trials) == 1:
        return _single_trial(search, state, new_outcomes), "proposed"
    with quiet_keras_tuner():
        oracle = _restore(search, state)
        indices = {name: trial.index for name, trial in state.trials.items()}
        for outcome in sorted(new_outcomes, key=lambda outcome: outcome.spec.index):
            _report(oracle, state.proposed[outcome.spec.index], outcome)
        answer: Answer = "proposed"
        for number in numbers:
            trial = oracle.create_trial(f"trial-{number}")
            if trial.status != "RUNNING":
                answer = "wait" if trial.status == "IDLE" else "exhausted"
                break
            indices[trial.trial_id] = number
        has_changed = new_outcomes or len(oracle.trials) > len(state.trials)
        next_state = _state_of(oracle, indices, version=state.version + 1) if has_changed else state
        release(oracle)
    return next_state, answer


def _single_trial(search: Search, state: OracleState, new_outcomes: Iterable[TrialOutcome]) -> OracleState:
    """Return the next state of a search of one trial, that of the defaults, without KerasTuner.

    Starting that takes longer than many such trials.
    """
    values = default_configuration(search.space)
    trial = state.trials.get(_SINGLE) or OracleTrial(index=search.trials[0], values=values, status="RUNNING")
    for outcome in new_outcomes:
        trial = trial.replace(**_ending(outcome))
    return OracleState(version=state.version + 1, trials={_SINGLE: trial})


def sweep_sizes(epochs: int, factor: int) -> list[list[tuple[int, int]]]:
    """Return the sizes of one sweep of Hyperband: for each bracket its rounds, each (configurations, epochs of each).

    The numbers are KerasTuner's; `epochs` are those of a configuration that comes through to the end.
    """
    brackets, remaining = 0, float(epochs)
    while remaining >= 1:
        remaining /= factor
        brackets += 1
    end = math.ceil(1 + math.log(epochs, factor))

    def size(bracket: int, round_number: int) -> tuple[int, int]:
        power = factor ** (bracket - round_number)
        return math.ceil(end / (bracket + 1) * power), math.ceil(epochs / power)

    return [
        [size(bracket, round_number) for round_number in range(bracket + 1)] for bracket in reversed(range(brackets))
    ]


def _restore(search: Search, state: OracleState) -> Any:
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
    kind = oracle_classes()[search.oracle]
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
        oracle_state = copy.deepcopy(state.state)  # an oracle changes its arguments
        space = keras_tuner.HyperParameters.from_config(copy.deepcopy(oracle_state["hyperparameters"]))
        for name, trial_state in state.trials.items():
            hyperparameters = copy.copy(space)  # one space, values of its own
            hyperparameters.values = dict(trial_state.values)
            trial = Trial(hyperparameters, trial_id=name, status=trial_state.status, message=trial_state.message)
            trial.score = trial_state.score
            oracle.trials[name] = trial
        oracle.set_state(oracle_state)
    # Bayesian search draws the starts of its optimiser: from the state alone, as everything else.
    oracle._random_state = np.random.RandomState((oracle.seed + len(oracle.trials)) % 2**32)
    return oracle


def _initial_points(search: Search) -> int:
    """Return how many random trials a Bayesian search begins with.

    KerasTuner's three per hyper-parameter, fixed ones not counted, but no more than half of all: else a small study
    would never come to learn anything.
    """
    free = sum(parameter.kind != "fixed" for parameter in search.space)
    return max(2, min(3 * free, math.ceil(len(search.trials) / 2)))


def _report(oracle: Any, name: str, outcome: TrialOutcome) -> None:
    trial = oracle.trials[name]
    ending = _ending(outcome)
    if ending["score"] is not None:
        oracle.update_trial(name, {OBJECTIVE: ending["score"]})
    trial.status, trial.message = ending["status"], ending["message"]
    oracle.end_trial(trial)


def _ending(outcome: TrialOutcome) -> dict[str, Any]:
    """Return the fields of an `OracleTrial` with an outcome."""
    if outcome.state == "completed" and math.isfinite(outcome.objective):
        return {"status": "COMPLETED", "score": outcome.objective, "message": None}
    return {"status": "FAILED", "score": None, "message": outcome.reason}


def _state_of(oracle: Any, indices: dict[str, int], *, version: int) -> OracleState:
    """Return an oracle as a value; `indices` are those of its trials, by its ids."""
    oracle_state = oracle.get_state()
    # A set comes out in another order in every process.
    oracle_state["tried_so_far"] = sorted(oracle_state["tried_so_far"])
    return OracleState(
        version=version,
        state=_plain(oracle_state),
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
