"""The state of a search's oracle, as the ledger keeps it: its trials, and KerasTuner's own state."""

from typing import Any

from pipeline.plans.recipe import Scalar
from pipeline.wire import Value

_PRIVATE = "tuner/"
"""How the names begin that Hyperband adds to a configuration."""


class OracleTrial(Value, frozen=True, kw_only=True):
    """A trial of an oracle."""

    index: int
    """Which of the study's trials it is."""
    values: dict[str, Scalar]
    status: str
    """KerasTuner's name: RUNNING, COMPLETED or FAILED."""
    score: float | None = None
    message: str | None = None


class OracleState(Value, frozen=True, kw_only=True):
    """The whole state of an oracle."""

    version: int = 0
    state: dict[str, Any] = {}
    """KerasTuner's own; empty before the first request."""
    trials: dict[str, OracleTrial] = {}
    """By the oracle's own ids, in the order in which they were proposed."""

    @property
    def proposed(self) -> dict[int, str]:
        """The oracle's ids of the trials that were proposed, by index."""
        return {trial.index: name for name, trial in self.trials.items()}

    @property
    def reported(self) -> frozenset[int]:
        """The indices of the trials whose outcome was reported to the oracle."""
        return frozenset(trial.index for trial in self.trials.values() if trial.status != "RUNNING")

    def values(self, index: int) -> dict[str, Scalar]:
        """Return the configuration of a trial that was proposed, without the oracle's notes."""
        return {
            name: value
            for name, value in self.trials[self.proposed[index]].values.items()
            if not name.startswith(_PRIVATE)
        }

    def notes(self, index: int) -> dict[str, Scalar]:
        """Return the oracle's notes on a trial: Hyperband's epochs, bracket and round, `trial_id` of its origin."""
        values = self.trials[self.proposed[index]].values
        return {name.removeprefix(_PRIVATE): value for name, value in values.items() if name.startswith(_PRIVATE)}
