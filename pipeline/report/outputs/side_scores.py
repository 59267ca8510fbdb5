"""Scores of rows, from their probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.models.base import TrainedModel
from pipeline.learning.study.measurements import SideScores
from pipeline.learning.study.results import ClassScores

_SMALLEST = 1e-12
"""Probabilities below count as this: float32 models return 0."""


def side_scores(probabilities: Float64, truth: Int64, classes: Sequence[str], *, penalty: float = 0.0) -> SideScores:
    """Return the scores of rows, from their class probabilities (rows, classes) and true classes (rows,).

    A precision, recall or F1 that would divide by zero is 0.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    hits, true_counts, predicted_counts = (
        np.diag(confusion).astype(np.float64),
        confusion.sum(axis=1),
        confusion.sum(axis=0),
    )
    precision, recall = hits / np.maximum(predicted_counts, 1), hits / np.maximum(true_counts, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, _SMALLEST)
    cross_entropy = float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], _SMALLEST)).mean())
    shares = true_counts / true_counts.sum()
    return SideScores(
        rows=len(truth),
        cost=cross_entropy + penalty,
        cross_entropy=cross_entropy,
        accuracy=float((predicted == truth).mean()),
        diagonal=float(hits.sum() / confusion.sum()),
        precision=float(precision @ shares),
        recall=float(recall @ shares),
        f1=float(f1 @ shares),
        per_class={
            name: ClassScores(
                precision=float(precision[i]), recall=float(recall[i]), f1=float(f1[i]), n=int(true_counts[i])
            )
            for i, name in enumerate(classes)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def penalty_of(model: TrainedModel) -> float:
    """Return the penalties on the weights of a network; 0 for models of other kinds, which include theirs."""
    network: Any = getattr(model, "network", None)
    return float(sum(float(loss) for loss in network.losses)) if network is not None else 0.0
