"""The network for one mean vector per file (T4)."""

from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.networks import Schedule, fit_network
from pipeline.plans.recipe import Scalar


class DenseMean:
    """Dense 256 relu, dropout, Dense 256 relu, dropout; every epoch is trained."""

    name = "dense_mean"

    def space(self, hp: Any) -> None:
        """Declare `dropout`, `learning_rate`, `epochs` and `batch`; the defaults are the tutorial's."""
        hp.Choice("dropout", [0.3, 0.4, 0.5, 0.6], default=0.5)
        hp.Choice("learning_rate", [3e-4, 1e-3, 3e-3], default=1e-3)
        hp.Fixed("epochs", 100)
        hp.Fixed("batch", 32)

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
        """Fit with Adam."""

        def layers(keras: Any) -> list[Any]:
            stack = [keras.layers.Flatten()]
            for _ in range(2):
                stack += [
                    keras.layers.Dense(256, activation="relu"),
                    keras.layers.Dropout(float(hyperparameters["dropout"])),
                ]
            return stack

        schedule = Schedule.of(hyperparameters, epochs)
        return fit_network(layers, train, validation, classes=classes, schedule=schedule, seed=seed)
