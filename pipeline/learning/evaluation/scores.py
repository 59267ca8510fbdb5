"""Scores over tracks, by scikit-learn."""

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Int64
from pipeline.learning.study.results import ClassScores, Scores


def score(truth: Int64, predicted: Int64, classes: Sequence[str], *, top2: float | None = None) -> Scores:
    """Return the scores of predicted class indices against true ones, both of shape (tracks,).

    A precision, recall or F1 that would divide by zero is 0. The macro mean is over the classes that occur, as a true
    or as a predicted one; nothing is known of the others.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    every = np.arange(len(classes))
    if not len(truth):
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    else:
        confusion = confusion_matrix(truth, predicted, labels=every)
    precision, recall, f1, n = (
        precision_recall_fscore_support(truth, predicted, labels=every, zero_division=0)
        if len(truth)
        else (np.zeros(len(classes)),) * 4
    )
    occurring = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return Scores(
        accuracy=float(np.mean(truth == predicted)) if len(truth) else 0.0,
        macro_f1=float(np.mean(f1[occurring])) if occurring.any() else 0.0,
        n=len(truth),
        per_class={
            name: ClassScores(precision=float(precision[i]), recall=float(recall[i]), f1=float(f1[i]), n=int(n[i]))
            for i, name in enumerate(classes)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        top2=top2,
    )


def classes_scored(scores: Scores) -> int:
    """Return how many classes the macro F1 is the mean of: those that occur, as a true or as a predicted one."""
    confusion = np.asarray(scores.confusion, dtype=np.int64)
    return int(np.count_nonzero(confusion.sum(axis=0) + confusion.sum(axis=1))) if confusion.size else 0


def score_counts(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> Scores:
    """Return the scores that a confusion matrix (rows: true, columns: predicted, counts) stands for."""
    counts = np.asarray(confusion, dtype=np.int64)
    truth, predicted = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    return score(truth, predicted, classes)
