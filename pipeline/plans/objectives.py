"""What a search makes best: the score of validation tracks that trials are ranked and chosen by."""

from typing import Literal

Objective = Literal["accuracy", "macro_f1", "balanced_accuracy", "log_loss", "macro_roc_auc"]

TITLES: dict[Objective, str] = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log-loss",
    "macro_roc_auc": "macro ROC AUC",
}
"""Names for people."""


def describe_objective(objective: Objective, value: float) -> str:
    """Return the value of an objective as people read it; a log-loss is negative where higher is better."""
    return f"{-value:.3f}" if objective == "log_loss" else f"{value:.1%}"
