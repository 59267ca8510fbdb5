"""A small regularised network for one long vector of statistics per file."""

from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.networks import Schedule, fit_network
from pipeline.plans.recipe import Scalar

MIN_REFIT_EPOCHS = 10
"""Without validation rows to stop it, the network trains at least this long: an early best epoch is mostly luck."""


class DenseStats:
    """1 or 2 relu layers, dropout on the input and after each layer, early stopping with a long patience."""

    name = "dense_stats"

    def space(self, hp: Any) -> None:
        """Declare `layers`, `units`, `dropout`, `input_dropout`, `learning_rate`, `batch`, `epochs`, `patience`."""
        hp.Int("layers", 1, 2, default=1)
        hp.Choice("units", [128, 256], default=256)
        hp.Choice("dropout", [0.3, 0.4, 0.5, 0.6], default=0.5)
        hp.Float("learning_rate", 5e-4, 2e-3, sampling="log", default=1e-3)
        hp.Fixed("input_dropout", 0.2)
        hp.Fixed("batch", 32)
        hp.Fixed("epochs", 60)
        hp.Fixed("patience", 12)

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
        """Fit with Adam; at most `epochs` epochs."""

        def layers(keras: Any) -> list[Any]:
            stack = [keras.layers.Flatten(), keras.layers.Dropout(float(hyperparameters["input_dropout"]))]
            for _ in range(int(hyperparameters["layers"])):
                stack += [
                    keras.layers.Dense(int(hyperparameters["units"]), activation="relu"),
                    keras.layers.Dropout(float(hyperparameters["dropout"])),
                ]
            return stack

        schedule = Schedule.of(hyperparameters, epochs, refit_at_least=MIN_REFIT_EPOCHS)
        return fit_network(layers, train, validation, classes=classes, schedule=schedule, seed=seed)
