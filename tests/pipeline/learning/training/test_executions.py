"""The executions of a trial: from several seeds, tried again when they fail, never twice when they ended."""

import numpy as np
import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.learning.study.trials import Execution, FitReport, TrialSpec
from pipeline.learning.training.executions import execute, execution_seed
from pipeline.plans.search import SearchPlan

SPEC = TrialSpec(run_id="run-1", index=3, family="svm", features="frame_stats", hyperparameters={"c": 1.0}, seed=7)


def report(accuracy=0.5, partition="holdout"):
    return FitReport(partition=partition, validation_accuracy=accuracy, epochs=0, seconds=0.1, parameters=1)


class FitFunction:
    """Fits nothing: gives accuracies, or raises what it is given, in turn."""

    def __init__(self, *results):
        self.results, self.seeds = list(results), []

    def __call__(self, spec, number):
        self.seeds.append((number, spec.seed))
        result = self.results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return (report(result),)


def test_each_execution_has_a_seed_of_its_own_and_the_score_is_their_mean():
    fit = FitFunction(0.6, 0.8, 0.7)
    outcome = execute(SPEC, SearchPlan(executions=3), fit)

    assert outcome.objective == pytest.approx(0.7)
    assert [execution.objective for execution in outcome.executions] == [0.6, 0.8, 0.7]
    assert [found.execution for found in outcome.fits] == [0, 1, 2]
    assert fit.seeds[0] == (0, 7)
    assert len({seed for _, seed in fit.seeds}) == 3
    assert outcome.spec == SPEC


def test_seeds_repeat_and_are_apart_from_those_of_the_neighbours():
    mine = [execution_seed(7, number, attempt) for number in range(4) for attempt in range(3)]
    theirs = [execution_seed(8, number, attempt) for number in range(4) for attempt in range(3)]

    assert mine == [execution_seed(7, number, attempt) for number in range(4) for attempt in range(3)]
    assert len({*mine, *theirs}) == 24
    assert execution_seed(-1, 1) >= 0


def test_a_fit_that_fails_is_tried_again_from_another_seed_which_the_trial_then_has():
    fit = FitFunction(ValueError("the loss became nan"), 0.8)
    outcome = execute(SPEC, SearchPlan(retries=1), fit)

    assert (outcome.state, outcome.objective) == ("completed", 0.8)
    assert outcome.executions[0].attempts == 2
    assert outcome.spec.seed == outcome.executions[0].seed == fit.seeds[1][1] != 7


def test_a_fit_that_fails_every_time_is_a_failed_trial_with_its_last_reason():
    fit = FitFunction(0.9, ValueError("one"), ValueError("two\nlines"), 0.9)
    outcome = execute(SPEC, SearchPlan(executions=3, retries=1), fit)

    assert outcome.state == "failed"
    assert outcome.reason == "ValueError: two lines"
    assert [(each.state, each.attempts) for each in outcome.executions] == [("completed", 1), ("failed", 2)]
    assert outcome.fits == ()
    assert outcome.spec == SPEC
    assert fit.results == [0.9], "the third execution is not begun"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "needs more memory than there is (an allocation was refused)"),
        (np._core._exceptions._ArrayMemoryError((1000, 1000, 1000), np.dtype("f8")), "needs more memory than there is"),
        (KeyError("c"), "KeyError: 'c'"),
        (RuntimeError("x" * 1000), "RuntimeError: xxx"),
    ],
)
def test_whatever_a_model_raises_is_its_trials_failure(error, reason):
    outcome = execute(SPEC, SearchPlan(retries=0), FitFunction(error))

    assert outcome.state == "failed"
    assert outcome.reason.startswith(reason)
    assert len(outcome.reason) <= 500


def test_tensorflows_own_lack_of_memory_is_reported_in_the_same_words():
    class ResourceExhaustedError(Exception):
        pass

    outcome = execute(SPEC, SearchPlan(retries=0), FitFunction(ResourceExhaustedError("OOM when allocating tensor")))

    assert outcome.reason == "needs more memory than there is (OOM when allocating tensor)"


def test_what_cannot_succeed_is_not_tried_again():
    fit = FitFunction(UsageError("feature family x is not in the dataset"), 0.5)

    assert execute(SPEC, SearchPlan(retries=5), fit).state == "failed"
    assert len(fit.seeds) == 1


def test_a_store_that_does_not_answer_is_no_failure_of_the_trial():
    kept = []
    with pytest.raises(StoreError):
        execute(SPEC, SearchPlan(), FitFunction(StoreError("disk is gone")), keep=kept.append)

    assert kept == []


def test_executions_that_ended_before_are_not_run_again():
    first = execute(SPEC, SearchPlan(executions=1), FitFunction(0.6)).executions[0].replace(fits=(report(0.6),))
    fit, kept = FitFunction(0.8), []
    outcome = execute(SPEC, SearchPlan(executions=2), fit, done=[first], keep=kept.append)

    assert fit.seeds == [(1, execution_seed(7, 1))]
    assert [execution.number for execution in kept] == [1]
    assert outcome.objective == pytest.approx(0.7)
    assert outcome.seconds >= first.seconds


def test_each_execution_is_kept_as_it_ends_with_everything_about_it():
    kept: list[Execution] = []
    execute(SPEC, SearchPlan(executions=2), FitFunction(0.6, 0.7), keep=kept.append)

    assert [(each.trial, each.number, each.state, each.objective) for each in kept] == [
        (3, 0, "completed", 0.6),
        (3, 1, "completed", 0.7),
    ]
    assert all(each.fits and each.host and each.seconds >= 0 for each in kept)
    assert [Execution.from_wire(each.to_wire()) for each in kept] == kept
