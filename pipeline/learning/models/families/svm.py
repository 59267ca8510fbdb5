"""A support vector machine with a radial kernel, scikit-learn's."""

from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.classic import fit_classic
from pipeline.plans.recipe import Scalar


class Svm:
    """RBF kernel; `gamma` is given as a multiple of 1 / (number of columns), the usual scale of standardised rows."""

    name = "svm"

    def space(self, hp: Any) -> None:
        """Declare `c` and `gamma`."""
        hp.Float("c", 2.0, 30.0, sampling="log", default=8.0)
        hp.Float("gamma", 0.2, 1.0, sampling="log", default=0.5)

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
        """Fit by libsvm; validation rows are not used."""
        from sklearn.svm import SVC

        columns = train.x.reshape(len(train.x), -1).shape[1]
        model = SVC(
            C=float(hyperparameters["c"]),
            gamma=float(hyperparameters["gamma"]) / columns,
            class_weight=train.class_weight,
            random_state=seed % 2**32,
        )
        return fit_classic(model, train, classes=classes)
