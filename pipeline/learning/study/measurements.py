"""The measurements for the outputs of a recipe, kept with the run: numbers that need a fit or all rows."""

from pipeline.learning.study.results import ClassScores
from pipeline.wire import Value


class SideScores(Value, frozen=True, kw_only=True):
    """How a model does on the rows of one side of the split; rows count, not tracks."""

    rows: int
    cost: float
    """The cross-entropy and the penalties on weights: the loss that training minimises."""
    cross_entropy: float
    """Mean over rows, natural logarithm."""
    accuracy: float
    """Share of the rows whose likeliest class is the true one."""
    diagonal: float
    """The same, from the diagonal of the confusion matrix."""
    precision: float
    """Mean over classes, weighted by their rows; so are recall and F1."""
    recall: float
    f1: float
    per_class: dict[str, ClassScores]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true class, columns: likeliest class, counts, in the order of the manifest's classes."""


class NewSound(Value, frozen=True, kw_only=True):
    """The prediction of the loaded model for a sound that was made after training."""

    truth: str
    label: str
    probability: float


class Measurements(Value, frozen=True, kw_only=True):
    """All measurements; those that a recipe has no output for are empty."""

    run_id: str
    sides: dict[str, SideScores] = {}
    """By side: training, validation, test."""
    untrained: dict[str, SideScores] = {}
    """The same of the network before its first epoch."""
    retrained: dict[str, SideScores] = {}
    """The same of the winner, its weights drawn anew and trained again."""
    rivals: dict[str, dict[str, SideScores]] = {}
    """The same of the best configuration with another activation, by activation."""
    softmax: tuple[tuple[float, ...], ...] = ()
    """Probabilities of some rows of the test."""
    softmax_truth: tuple[int, ...] = ()
    """Their true classes."""
    new_sounds: tuple[NewSound, ...] = ()
    trouble: str = ""
    """Why nothing was measured, where a fit for it failed."""
