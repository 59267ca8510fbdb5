"""Multinomial logistic regression, scikit-learn's."""

import warnings
from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.classic import fit_classic
from pipeline.plans.recipe import Scalar


class Logistic:
    """A linear classifier with an L2 penalty; `c` is the inverse of its strength."""

    name = "logistic"

    def space(self, hp: Any) -> None:
        """Declare `c`."""
        hp.Float("c", 0.003, 0.3, sampling="log", default=0.03)

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
        """Fit by L-BFGS; validation rows are not used."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=float(hyperparameters["c"]), class_weight=train.class_weight, max_iter=300)
        with warnings.catch_warnings():
            # A fit that stops short is still a trial: its validation score says what it is worth.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return fit_classic(model, train, classes=classes, has_posteriors=True)
