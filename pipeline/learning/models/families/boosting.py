"""Gradient boosting of trees over histograms of the columns, scikit-learn's."""

from dataclasses import replace
from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.classic import fit_classic
from pipeline.plans.recipe import Scalar


class Boosting:
    """Small trees, each fitted to what those before it got wrong."""

    name = "boosting"

    def space(self, hp: Any) -> None:
        """Declare `learning_rate`, `leaves` (most of a tree), `leaf` (its fewest rows), `l2` and `rounds`."""
        hp.Float("learning_rate", 0.03, 0.3, sampling="log", default=0.1)
        hp.Choice("leaves", [4, 8, 16, 31], default=8)
        hp.Int("leaf", 5, 20, step=5, default=10)
        hp.Choice("l2", [0.0, 0.1, 1.0], default=0.1)
        hp.Fixed("rounds", 100)

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
        """Fit all rounds; validation rows are not used."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            learning_rate=float(hyperparameters["learning_rate"]),
            max_iter=int(hyperparameters["rounds"]),
            max_leaf_nodes=int(hyperparameters["leaves"]),
            min_samples_leaf=int(hyperparameters["leaf"]),
            l2_regularization=float(hyperparameters["l2"]),
            class_weight=train.class_weight,
            early_stopping=False,
            random_state=seed % 2**32,
        )
        fit = fit_classic(model, train, classes=classes, has_posteriors=True)
        nodes = sum(len(tree.nodes) for of_round in model._predictors for tree in of_round)
        return replace(fit, parameters=nodes)
