"""The convolutional network for MFCC pictures of 3 s segments (T3)."""

import math
from collections.abc import Mapping
from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.hyperparameters import whole_numbers
from pipeline.learning.models.networks import Schedule, fit_network
from pipeline.plans.recipe import Scalar

_TUTORIAL: dict[str, Scalar] = {
    "blocks": 3,
    "filters": 32,
    "kernels": "3-3-2",
    "dense": "128-64-32",
    "activation": "relu",
}
"""The shape of the network; trials of older runs do not name it."""


class CnnSegments:
    """Blocks of convolution, max-pooling and batch normalisation, then dense layers with dropout.

    By default three blocks and dense 128, 64, 32, as in the tutorial: for rows (130, 16) and ten classes 86,314
    parameters, of which 86,122 are trained.
    """

    name = "cnn_segments"

    def space(self, hp: Any) -> None:
        """Declare `dropout` and `l2`; all else is fixed, at the tutorial's values, until a recipe opens it.

        `blocks` convolutions of `filters` each; `kernels` are the widths of their squares and of the pooling behind
        them, the last one holding for the blocks beyond, `dense` the units behind, both lists such as "128-64-32".
        """
        hp.Choice("dropout", [0.2, 0.3, 0.4], default=0.3)
        hp.Choice("l2", [0.0, 1e-3], default=0.0)
        hp.Fixed("learning_rate", 1e-4)
        hp.Fixed("epochs", 100)
        hp.Fixed("batch", 32)
        for name, value in _TUTORIAL.items():
            hp.Fixed(name, value)

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
        """Fit with Adam; rows must be matrices (frames, coefficients)."""
        if train.x.ndim != 3:
            raise ValueError(
                f"cnn_segments needs rows that are matrices (frames, coefficients), not of shape {train.x.shape[1:]}; "
                "use it with mfcc_segments"
            )
        values = {**_TUTORIAL, **hyperparameters}
        schedule = Schedule.of(hyperparameters, epochs)
        return fit_network(
            lambda keras: cnn_layers(keras, train.x.shape[1:], values),
            train,
            validation,
            classes=classes,
            schedule=schedule,
            seed=seed,
        )


def cnn_layers(keras: Any, shape: tuple[int, ...], values: Mapping[str, Scalar]) -> list[Any]:
    """Return the layers between the standardised input, shape (frames, coefficients), and the softmax.

    The penalty is on every kernel of theirs; the softmax has none. Raises `ValueError` where a block gets a picture
    smaller than its kernel.
    """
    penalty = keras.regularizers.L2(float(values["l2"])) if values["l2"] else None
    activation = str(values["activation"])
    kernels = whole_numbers("kernels", str(values["kernels"]))
    stack = [keras.layers.Reshape((*shape, 1))]
    for block in range(int(values["blocks"])):
        kernel = kernels[min(block, len(kernels) - 1)]
        if min(shape) < kernel:
            raise ValueError(
                f"block {block + 1} would get a picture of {' x '.join(map(str, shape))}, smaller than its kernel of "
                f"{kernel} x {kernel}; use fewer blocks or smaller kernels"
            )
        stack += [
            keras.layers.Conv2D(int(values["filters"]), kernel, activation=activation, kernel_regularizer=penalty),
            keras.layers.MaxPooling2D(kernel, strides=2, padding="same"),
            keras.layers.BatchNormalization(),
        ]
        shape = tuple(math.ceil((size - kernel + 1) / 2) for size in shape)
    stack.append(keras.layers.Flatten())
    for units in whole_numbers("dense", str(values["dense"])):
        stack += [
            keras.layers.Dense(units, activation=activation, kernel_regularizer=penalty),
            keras.layers.Dropout(float(values["dropout"])),
        ]
    return stack
