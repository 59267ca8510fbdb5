"""A support vector machine on rows as they are, with the numbers it is given (T5)."""

from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.classic import fit_classic
from pipeline.plans.recipe import Scalar


class SvmRaw:
    """RBF kernel of rows that are not scaled; classes weigh what they have."""

    name = "svm_raw"

    def space(self, hp: Any) -> None:
        """Declare `c` and `gamma`, which is that of exp(-gamma d^2); the defaults are the tutorial's."""
        hp.Choice("c", [0.1, 1.0, 10.0, 100.0], default=1.0)
        hp.Choice("gamma", [1e-5, 1e-4, 1e-3, 1e-2], default=1e-3)

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

        model = SVC(C=float(hyperparameters["c"]), gamma=float(hyperparameters["gamma"]), random_state=seed % 2**32)
        return fit_classic(model, train, classes=classes, standardised=False)
