"""The binary classifier with hidden layers whose boundary can be drawn (T2)."""

from itertools import pairwise
from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.hyperparameters import whole_numbers
from pipeline.learning.models.networks import InputOutput, Schedule, fit_network
from pipeline.plans.recipe import Scalar

LAYOUTS: tuple[tuple[int, ...], ...] = (
    (64, 64),
    (64, 32, 16, 8, 4, 2),
    (64, 16, 4, 16, 64),
    (64, 4, 2, 4, 64),
    (32, 16, 8, 4, 2),
    (16, 16, 4, 2),
    (16, 8, 4, 2),
    (8, 8, 4, 2),
    (5, 5, 5),
    (5, 3, 2),
    (5, 4),
    (5, 3),
    (8,),
    (5, 2),
    (5,),
    (3, 2),
    (2, 2),
    (2,),
)
"""Units of the hidden layers, as the tutorial lists them, most parameters first."""
DEFAULT_LAYOUT = (2, 2)


class DenseBoundary:
    """Hidden layers of one of eighteen layouts and a single sigmoid; plain gradient descent on rows as they are."""

    name = "dense_boundary"

    def space(self, hp: Any) -> None:
        """Declare `layout` and `activation`; `learning_rate`, `epochs`, `batch`, `l2` and `dropout` are fixed."""
        hp.Choice("layout", [layout_name(layout) for layout in LAYOUTS], default=layout_name(DEFAULT_LAYOUT))
        hp.Choice("activation", ["tanh", "relu"], default="tanh")
        hp.Fixed("learning_rate", 0.01)
        hp.Fixed("epochs", 4)
        hp.Fixed("batch", 8)
        hp.Fixed("l2", 0.0)
        hp.Fixed("dropout", 0.0)

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
        """Fit by stochastic gradient descent on the binary cross-entropy; there must be two classes."""
        layout = layout_of(str(hyperparameters["layout"]))
        activation = str(hyperparameters["activation"])
        l2, dropout = (float(hyperparameters.get(name, 0.0)) for name in ("l2", "dropout"))  # older trials: none

        def layers(keras: Any) -> list[Any]:
            penalty = keras.regularizers.L2(l2) if l2 else None
            stack = [keras.layers.Flatten()]
            for units in layout:
                stack.append(keras.layers.Dense(units, activation=activation, kernel_regularizer=penalty))
                if dropout:
                    stack.append(keras.layers.Dropout(dropout))
            return stack

        schedule = Schedule.of(hyperparameters, epochs, optimizer="sgd")
        return fit_network(
            layers,
            train,
            validation,
            classes=classes,
            schedule=schedule,
            seed=seed,
            input_output=InputOutput(standardised=False, output="sigmoid"),
        )


def layout_name(layout: tuple[int, ...]) -> str:
    """Return how a recipe writes a layout: `64-32-16`."""
    return "-".join(str(units) for units in layout)


def layout_of(name: str) -> tuple[int, ...]:
    """Return the units of the hidden layers. Raises `ValueError` for a name that is none, such as `8-0`."""
    return whole_numbers("layout", name)


def parameter_count(layout: tuple[int, ...], *, features: int = 2) -> int:
    """Return how many numbers are trained: weights and biases of the hidden layers and of the single output."""
    return sum((before + 1) * units for before, units in pairwise((features, *layout, 1)))
