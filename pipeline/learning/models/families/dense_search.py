"""The small tanh network that a search over layers and units shapes (T1)."""

from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.hyperparameters import chosen_columns
from pipeline.learning.models.networks import InputOutput, Schedule, fit_network
from pipeline.plans.recipe import Scalar

MAX_LAYERS = 5


class DenseSearch:
    """1 to 5 layers of 2 to 16 units, tanh unless a recipe says otherwise.

    Early stopping on the validation loss, patience 2.

    Inputs are z-scored with the deviation of a sample and not clipped; `columns` chooses some, as in "2 3 5".
    """

    name = "dense_search"

    def space(self, hp: Any) -> None:
        """Declare `layers`, `units_1` to `units_5`, and the tutorial's homework: `dropout`, `l2`, `learning_rate`.

        `columns`, `epochs`, `batch`, `patience` and `activation` are fixed.
        """
        hp.Int("layers", 1, MAX_LAYERS, default=2)
        for layer in range(1, MAX_LAYERS + 1):
            with hp.conditional_scope("layers", list(range(layer, MAX_LAYERS + 1))):
                hp.Int(f"units_{layer}", 2, 16, step=2, default=16)
        hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3], default=0.0)
        hp.Choice("l2", [0.0, 1e-4, 1e-3, 1e-2], default=0.0)
        hp.Choice("learning_rate", [3e-4, 1e-3, 3e-3, 1e-2], default=1e-3)
        hp.Fixed("columns", "")
        hp.Fixed("epochs", 250)
        hp.Fixed("batch", 16)
        hp.Fixed("patience", 2)
        hp.Fixed("activation", "tanh")

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
        units = [int(hyperparameters[f"units_{layer}"]) for layer in range(1, int(hyperparameters["layers"]) + 1)]
        activation = str(hyperparameters.get("activation", "tanh"))  # trials of older runs have none
        dropout, l2 = float(hyperparameters["dropout"]), float(hyperparameters["l2"])

        def layers(keras: Any) -> list[Any]:
            penalty = keras.regularizers.L2(l2) if l2 else None
            stack = [keras.layers.Flatten()]
            for n in units:
                stack.append(keras.layers.Dense(n, activation=activation, kernel_regularizer=penalty))
                if dropout:
                    stack.append(keras.layers.Dropout(dropout))
            return stack

        schedule = Schedule.of(hyperparameters, epochs)
        input_output = InputOutput(columns=chosen_columns(str(hyperparameters["columns"])), ddof=1, clip_sd=None, l2=l2)
        return fit_network(
            layers, train, validation, classes=classes, schedule=schedule, seed=seed, input_output=input_output
        )
