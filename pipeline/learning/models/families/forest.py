"""A random forest, scikit-learn's."""

from dataclasses import replace
from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.classic import fit_classic
from pipeline.plans.recipe import Scalar


class Forest:
    """Trees on random samples of rows, each split on a random share of the columns; they vote by class shares."""

    name = "forest"

    def space(self, hp: Any) -> None:
        """Declare `column_share` (of the columns, considered for each split), `leaf` (its fewest rows) and `trees`."""
        hp.Float("column_share", 0.02, 0.5, sampling="log", default=0.06)
        hp.Int("leaf", 1, 6, default=1)
        hp.Fixed("trees", 200)

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
        """Fit by scikit-learn in this process alone; validation rows are not used."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(
            n_estimators=int(hyperparameters["trees"]),
            max_features=float(hyperparameters["column_share"]),
            min_samples_leaf=int(hyperparameters["leaf"]),
            class_weight=train.class_weight,
            random_state=seed % 2**32,
            n_jobs=1,
        )
        fit = fit_classic(model, train, classes=classes)
        return replace(fit, parameters=sum(int(tree.tree_.node_count) for tree in model.estimators_))
