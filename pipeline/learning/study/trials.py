"""A study's plan, its trials and their outcomes."""

from collections.abc import Iterable
from typing import Literal

from pipeline.plans.augmentation import RowAugmentation
from pipeline.plans.recipe import Balance, Priors, Scalar
from pipeline.plans.search import Strategy
from pipeline.wire import Value


class PlannedModel(Value, frozen=True, kw_only=True):
    """The trials of one model of a recipe."""

    name: str
    """`00-svm`: its position in the recipe and its family."""
    family: str
    features: str
    oracle: Strategy
    """The strategy that chooses its configurations."""
    trials: tuple[int, ...]
    """Indices of its trials, ascending."""
    configurations: int | None = None
    """How many different ones its search space has; None for a continuum."""
    note: str = ""
    """A note on its search, for people."""


class StudyPlan(Value, frozen=True, kw_only=True):
    """How many trials a study has, and which model each of them tries; their configurations come later."""

    strategy: Strategy
    models: tuple[PlannedModel, ...]
    continues: str = ""
    """The run whose search it goes on with: an equal study that was interrupted."""
    taken_over: tuple[int, ...] = ()
    """Indices of the trials that had ended there, ascending; they were not run again."""

    @property
    def indices(self) -> tuple[int, ...]:
        """The indices of all trials, ascending."""
        return tuple(sorted(index for model in self.models for index in model.trials))

    def own(self, outcomes: Iterable["TrialOutcome"]) -> list["TrialOutcome"]:
        """Return the outcomes of the trials that were not taken over."""
        return [outcome for outcome in outcomes if outcome.spec.index not in self.taken_over]

    def describe_resumption(self) -> str:
        """Return in words what was taken over; an empty string for a study that goes on with no other."""
        if not self.continues:
            return ""
        count, of = len(self.taken_over), len(self.indices)
        were = "was" if count == 1 else "were"
        return f"goes on with run {self.continues}, which was interrupted: {count} of {of} trials {were} taken over"

    def model_of(self, index: int) -> int:
        """Return the position in the recipe of the model that a trial tries."""
        return next(position for position, model in enumerate(self.models) if index in model.trials)


class TrialSpec(Value, frozen=True, kw_only=True):
    """One configuration to try."""

    run_id: str
    index: int
    family: str
    """Model family."""
    features: str
    """Feature family name."""
    hyperparameters: dict[str, Scalar]
    seed: int
    augment: RowAugmentation | None = None
    """Altered copies of the training rows."""
    origin: dict[str, Scalar] = {}
    """Its origin in an adaptive search: Hyperband's bracket and round, and the trial that it continues."""
    balance: Balance = "weights"
    """How classes of different size are balanced."""
    priors: Priors = "true"
    """Which shares of the classes the probabilities are for."""


class FitReport(Value, frozen=True, kw_only=True):
    """One fit of one configuration on one partition."""

    partition: str
    execution: int = 0
    validation_accuracy: float
    """Of tracks, rows aggregated."""
    score: float | None = None
    """What the search makes best, higher is better; None where that is the accuracy, as in runs of an older chordal."""
    validation_log_loss: float = 0.0
    """Of tracks, natural logarithm; breaks ties of accuracy."""
    validation_confusion: tuple[tuple[int, ...], ...] = ()
    """Of validation tracks, as in `Scores.confusion`."""
    validation_probabilities: tuple[tuple[float, ...], ...] = ()
    """Of each validation track, in the order of `Partition.validation`: what calibration is fitted on."""
    epochs: int
    """Epochs that made the kept weights (the best one's with early stopping); 0 for models without epochs."""
    seconds: float
    parameters: int
    """Trainable numbers in the model."""
    curves: dict[str, tuple[float, ...]] = {}
    """Per epoch: loss, accuracy, val_loss, val_accuracy; empty for models that are not fitted in epochs."""

    @property
    def objective(self) -> float:
        """What trials are ranked by; higher is better."""
        return self.validation_accuracy if self.score is None else self.score


class Execution(Value, frozen=True, kw_only=True):
    """One execution of a trial: its configuration fitted on every partition, from one seed."""

    trial: int
    number: int
    seed: int
    state: Literal["completed", "failed"]
    objective: float = 0.0
    """Mean over the partitions of what the search makes best; higher is better."""
    fits: tuple[FitReport, ...] = ()
    """Empty inside a `TrialOutcome`, which holds those of all its executions."""
    seconds: float = 0.0
    host: str = ""
    attempts: int = 1
    """Fits that fail are retried from another seed."""
    reason: str = ""


class TrialOutcome(Value, frozen=True, kw_only=True):
    """How a trial ended."""

    spec: TrialSpec
    """As proposed; with the seed of the first execution, should its own have failed."""
    state: Literal["completed", "failed", "skipped"]
    """Skipped: the search had no configuration left for it."""
    objective: float = 0.0
    """Mean over the executions and partitions of what the search makes best; higher is better."""
    fits: tuple[FitReport, ...] = ()
    executions: tuple[Execution, ...] = ()
    seconds: float = 0.0
    host: str = ""
    attempts: int = 1
    """How often it was begun: once more for every time its worker died or it took too long."""
    reason: str = ""
