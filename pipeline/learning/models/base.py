"""The interface of a model family: a search space, a fit, and models that are saved without pickle."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from pipeline.arrays import Float32, Float64, Int64
from pipeline.plans.recipe import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRows:
    """Rows with labels: `x` (rows, *row_shape) float32, `y` (rows,) class indices."""

    x: Float32
    y: Int64
    is_weighted: bool = True
    """Whether classes of different size count the same in the loss."""
    shares: Float64 | None = None
    """The share of each class before anything balanced them, shape (classes,), where rows were repeated for that."""
    has_true_priors: bool = True
    """Whether probabilities are brought back to these shares."""

    @property
    def class_weight(self) -> Literal["balanced"] | None:
        """scikit-learn's name for it."""
        return "balanced" if self.is_weighted else None

    def weights(self, classes: int) -> Float32:
        """Return the weight of each class in the loss, shape (classes,)."""
        return balanced_weights(self.y, classes) if self.is_weighted else np.ones(classes, np.float32)

    def prior_ratios(self, classes: int) -> Float64:
        """Return by what probabilities that were learned from balanced rows have to be multiplied, shape (classes,).

        The share of each class over the one that the loss saw (Saerens et al., "Adjusting the Outputs of a Classifier
        to New a Priori Probabilities", 2002); 1 for a class without rows, and for rows that were not balanced.
        """
        if not self.has_true_priors:
            return np.ones(classes)
        counts = np.bincount(self.y.ravel(), minlength=classes).astype(np.float64)
        if self.shares is not None:
            seen, shares = counts / counts.sum(), self.shares
        elif self.is_weighted:
            shares = counts / counts.sum()
            seen = (counts > 0) / np.count_nonzero(counts)
        else:
            return np.ones(classes)
        ratios: Float64 = np.divide(shares, seen, out=np.ones(classes), where=(shares > 0) & (seen > 0))
        return ratios


class TrainedModel(Protocol):
    """A fitted model of one family; inputs are raw rows, it standardises them itself."""

    def probabilities(self, x: Float32) -> Float64:
        """Return the class probabilities of each row, shape (rows, classes); `x` has shape (rows, *row_shape)."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model's file into an existing folder."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The outcome of one fit."""

    model: TrainedModel
    epochs: int = 0
    """Epochs that made the weights that were kept: the best one's with early stopping, else all; 0 without epochs."""
    parameters: int = 0
    """Trainable numbers."""
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)
    saved: Path | None = None
    """The folder of a model that has been saved; None for one that has just been fitted."""


class ModelFamily(Protocol):
    """One family of models, in a file of its own."""

    @property
    def name(self) -> str:
        """The name that recipes use."""
        ...

    def space(self, hp: Any) -> None:
        """Declare the search space on a `keras_tuner.HyperParameters`; the defaults are the sensible first trial."""
        ...

    def fit(
        self,
        train: LabelledRows,
        validation: LabelledRows | None,
        *,
        classes: int,
        hyperparameters: dict[str, Scalar],
        seed: int,
        epochs: int | None = None,
    ) -> Fit:
        """Fit one configuration; inputs are standardised by statistics of `train` alone, classes weigh as it specifies.

        `validation` steers early stopping where the family has it; without it, `epochs` says how long to train.
        Raises `ValueError` when the family cannot use the rows' shape or a hyper-parameter.
        """
        ...


CLIP_SD = 5.0
"""Standardised inputs are clipped to this many standard deviations: one odd file cannot dominate a model."""


def column_statistics(x: Float32, *, ddof: int = 0) -> tuple[Float64, Float64]:
    """Return mean and standard deviation of each column (entry of the last axis), shapes (columns,).

    `ddof` is subtracted from the number of rows in the deviation. A column that hardly varies, next to its size in
    float32, gets deviation 1: it stays small whatever comes later.
    """
    columns = x.reshape(-1, x.shape[-1])
    mean = columns.mean(axis=0, dtype=np.float64)
    deviation = columns.std(axis=0, dtype=np.float64, ddof=min(ddof, len(columns) - 1))
    return mean, np.where(deviation < np.maximum(1e-8, 1e-6 * np.abs(mean)), 1.0, deviation)


def balanced_weights(y: Int64, classes: int) -> Float32:
    """Return the weight of each class, shape (classes,): classes with rows weigh the same in sum, rows 1 on average."""
    counts = np.bincount(y, minlength=classes)
    present = np.count_nonzero(counts)
    return np.where(counts > 0, len(y) / (present * np.maximum(counts, 1)), 0.0).astype(np.float32)
