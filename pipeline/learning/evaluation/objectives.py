"""The objectives of a search over validation tracks, by scikit-learn; of each, higher is better."""

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.study.findings import SMALLEST
from pipeline.plans.objectives import Objective


def objective_value(objective: Objective, truth: Int64, probabilities: Float64) -> float:
    """Return the score of class probabilities (tracks, classes) against true class indices (tracks,).

    `accuracy`, `macro_f1` (over classes that occur), `balanced_accuracy` (mean recall of the classes there are),
    `log_loss` (natural logarithm, its sign changed), `macro_roc_auc` (mean over the classes that some tracks have and
    others have not, each against the rest; 0.5 where there is none).
    """
    predicted = probabilities.argmax(axis=1)
    if objective == "accuracy":
        return float(np.mean(predicted == truth))
    if objective == "log_loss":
        likelihood = np.maximum(probabilities[np.arange(len(truth)), truth], SMALLEST)
        return float(np.log(likelihood).mean())
    if objective == "macro_f1":
        from sklearn.metrics import f1_score

        return float(f1_score(truth, predicted, average="macro", zero_division=0))
    present = np.unique(truth)
    if objective == "balanced_accuracy":
        return float(np.mean([np.mean(predicted[truth == label] == label) for label in present]))
    from sklearn.metrics import roc_auc_score

    if len(present) < 2:
        return 0.5
    return float(np.mean([roc_auc_score(truth == label, probabilities[:, label]) for label in present]))
