"""The convolutional network for MFCC pictures of 3 s segments (T3)."""

from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.networks import InputOutput, Schedule, fit_network
from pipeline.plans.recipe import Scalar

# Kernel and pool size of the three blocks; every convolution has 32 filters and no padding.
_BLOCKS = ((3, 3), (3, 3), (2, 2))


class CnnSegments:
    """Three blocks of convolution, max-pooling and batch normalisation, then dense 128, 64, 32 with dropout.

    For rows (130, 16) and ten classes 86,314 parameters, of which 86,122 are trained.
    """

    name = "cnn_segments"

    def space(self, hp: Any) -> None:
        """Declare `dropout`, `l2`, `learning_rate`, `epochs` and `batch`; the defaults are the tutorial's."""
        hp.Choice("dropout", [0.2, 0.3, 0.4], default=0.3)
        hp.Choice("l2", [0.0, 1e-3], default=0.0)
        hp.Fixed("learning_rate", 1e-4)
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
        """Fit with Adam; rows must be matrices (frames, coefficients)."""
        if train.x.ndim != 3:
            raise ValueError(
                f"cnn_segments needs rows that are matrices (frames, coefficients), not of shape {train.x.shape[1:]}; "
                "use it with mfcc_segments"
            )
        schedule = Schedule.of(hyperparameters, epochs)
        return fit_network(
            lambda keras: cnn_layers(
                keras,
                train.x.shape[1:],
                dropout=float(hyperparameters["dropout"]),
                l2=float(hyperparameters["l2"]),
            ),
            train,
            validation,
            classes=classes,
            schedule=schedule,
            seed=seed,
            input_output=InputOutput(l2=float(hyperparameters["l2"])),
        )


def cnn_layers(keras: Any, shape: tuple[int, ...], *, dropout: float, l2: float) -> list[Any]:
    """Return the layers between the standardised input, shape (frames, coefficients), and the softmax."""
    penalty = keras.regularizers.L2(l2) if l2 else None
    stack = [keras.layers.Reshape((*shape, 1))]
    for kernel in _BLOCKS:
        stack += [
            keras.layers.Conv2D(32, kernel, activation="relu", kernel_regularizer=penalty),
            keras.layers.MaxPooling2D(kernel, strides=2, padding="same"),
            keras.layers.BatchNormalization(),
        ]
    stack.append(keras.layers.Flatten())
    for units in (128, 64, 32):
        stack += [
            keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty),
            keras.layers.Dropout(dropout),
        ]
    return stack
