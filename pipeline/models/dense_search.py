"""The small tanh network that a search over layers and units shapes (T1)."""

from typing import Any

from pipeline.models.base import Fit, Labelled
from pipeline.models.networks import Schedule, fit_network
from pipeline.recipe import Scalar

MAX_LAYERS = 5


class DenseSearch:
    """1 to 5 tanh layers of 2 to 16 units; early stopping on the validation loss, patience 2."""

    name = "dense_search"

    def space(self, hp: Any) -> None:
        """Declare `layers`, `units_1` to `units_5`, `epochs`, `batch`, `learning_rate` and `patience`."""
        hp.Int("layers", 1, MAX_LAYERS, default=2)
        for layer in range(1, MAX_LAYERS + 1):
            with hp.conditional_scope("layers", list(range(layer, MAX_LAYERS + 1))):
                hp.Int(f"units_{layer}", 2, 16, step=2, default=16)
        hp.Fixed("epochs", 250)
        hp.Fixed("batch", 16)
        hp.Fixed("learning_rate", 1e-3)
        hp.Fixed("patience", 2)

    def fit(
        self,
        train: Labelled,
        validation: Labelled | None,
        *,
        classes: int,
        hyperparameters: dict[str, Scalar],
        seed: int,
        epochs: int | None = None,
    ) -> Fit:
        """Fit with Adam; at most `epochs` epochs."""
        units = [int(hyperparameters[f"units_{layer}"]) for layer in range(1, int(hyperparameters["layers"]) + 1)]

        def layers(keras: Any) -> list[Any]:
            return [keras.layers.Flatten(), *(keras.layers.Dense(n, activation="tanh") for n in units)]

        schedule = Schedule(
            learning_rate=float(hyperparameters["learning_rate"]),
            batch=int(hyperparameters["batch"]),
            epochs=int(hyperparameters["epochs"]) if epochs is None else epochs,
            patience=int(hyperparameters["patience"]),
        )
        return fit_network(layers, train, validation, classes=classes, schedule=schedule, seed=seed)
