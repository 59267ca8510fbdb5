"""A convolutional network for log-mel pictures of segments."""

from typing import Any

from pipeline.learning.models.base import Fit, LabelledRows
from pipeline.learning.models.networks import Schedule, fit_network
from pipeline.plans.recipe import Scalar

MIN_REFIT_EPOCHS = 10
"""Without validation rows to stop it, the network trains at least this long: an early best epoch is mostly luck."""


class CnnLogmel:
    """Blocks of 3x3 convolution, batch normalisation, relu and 2x2 pooling, then the mean over time and bands.

    Filters double from block to block. Averaging instead of flattening keeps it small and indifferent to when in the
    segment a sound comes.
    """

    name = "cnn_logmel"

    def space(self, hp: Any) -> None:
        """Declare `blocks`, `filters` (of the first), `dropout`, `learning_rate`, `batch`, `epochs` and `patience`."""
        hp.Int("blocks", 2, 4, default=3)
        hp.Choice("filters", [8, 16, 24], default=16)
        hp.Choice("dropout", [0.1, 0.2, 0.3, 0.4], default=0.3)
        hp.Float("learning_rate", 5e-4, 5e-3, sampling="log", default=2e-3)
        hp.Fixed("batch", 32)
        hp.Fixed("epochs", 40)
        hp.Fixed("patience", 8)

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
        """Fit with Adam, early stopping on the validation loss; rows must be matrices (frames, bands)."""
        if train.x.ndim != 3:
            raise ValueError(
                f"cnn_logmel needs rows that are matrices (frames, bands), not of shape {train.x.shape[1:]}; "
                "use it with logmel_segments"
            )
        shape, blocks = train.x.shape[1:], int(hyperparameters["blocks"])
        if min(shape) < 2**blocks:
            raise ValueError(f"rows of shape {shape} cannot be halved {blocks} times; use fewer blocks")

        def layers(keras: Any) -> list[Any]:
            stack = [keras.layers.Reshape((*shape, 1))]
            for block in range(blocks):
                filters = int(hyperparameters["filters"]) * 2**block
                stack += [
                    keras.layers.Conv2D(filters, 3, padding="same", use_bias=False),
                    keras.layers.BatchNormalization(),
                    keras.layers.Activation("relu"),
                    keras.layers.MaxPooling2D(2),
                ]
            return [
                *stack,
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dropout(float(hyperparameters["dropout"])),
            ]

        schedule = Schedule.of(hyperparameters, epochs, refit_at_least=MIN_REFIT_EPOCHS)
        return fit_network(layers, train, validation, classes=classes, schedule=schedule, seed=seed)
