"""The search of a recipe: how configurations are chosen, and how many are tried."""

from typing import Literal

from pipeline.errors import UsageError
from pipeline.plans.objectives import Objective
from pipeline.wire import Value

Strategy = Literal["random", "bayesian", "hyperband"]


class SearchPlan(Value, frozen=True, kw_only=True):
    """How configurations are chosen, how many are tried, shared out over the models in turn, and how often each."""

    strategy: Strategy = "random"
    """`bayesian` learns from the trials that have ended; `hyperband` gives many configurations few epochs and the best
    of them more. A model without epochs is searched at random in a study by `hyperband`."""
    objective: Objective = "accuracy"
    """What trials are ranked and chosen by, on validation tracks: `accuracy`, `macro_f1`, `balanced_accuracy`,
    `log_loss` or `macro_roc_auc`."""
    trials: int = 8
    """A model searched by `hyperband` takes the trials of one whole sweep instead of its share."""
    executions: int = 1
    """How often each configuration is fitted, each time from another seed; a trial's score is the mean."""
    retries: int = 1
    """How often a fit that fails, or a trial that hangs, is retried before the failure is recorded."""
    factor: int = 3
    """Of `hyperband`: one of so many configurations goes on, with so many times the epochs."""
    limit_s: int | None = None
    """Seconds after which a trial, all its fits together, is ended by force; None leaves that to the workers' limit."""
    refit: bool = True
    """Fit the chosen configuration again on training and validation tracks before the test."""
    ensemble: int = 1
    """How many of the best trials vote (mean of their probabilities)."""

    def check(self, where: str) -> None:
        """Raise `UsageError` naming the key with an impossible value."""
        for key, number, least in (
            ("executions", self.executions, 1),
            ("retries", self.retries, 0),
            ("factor", self.factor, 2),
            ("limit_s", 1 if self.limit_s is None else self.limit_s, 1),
        ):
            if number < least:
                raise UsageError(f"{where}.{key} is {number}; give a whole number from {least} up")
