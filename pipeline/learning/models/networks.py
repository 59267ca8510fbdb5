"""The Keras families: the fit over tf.data, class weights, saving and loading `.keras` files."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.learning.models.base import CLIP_SD, Fit, LabelledRows, column_statistics
from pipeline.learning.models.callbacks import report_epoch
from pipeline.learning.models.runtime import fresh_keras, prepare
from pipeline.plans.recipe import Scalar

FILE_NAME = "model.keras"
_ROWS_PER_CALL = 2048
_ROWS_PER_GRAPH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast a network learns."""

    learning_rate: float
    batch: int
    epochs: int
    """At most."""
    patience: int | None = None
    """Epochs without a better validation loss before stopping, best weights restored; None trains all epochs."""
    optimizer: Literal["adam", "sgd"] = "adam"
    steps_at_once: int = 64
    """Batches learned from per call into TensorFlow; changes no number, and spares small networks most of the time."""

    @classmethod
    def of(
        cls,
        hyperparameters: Mapping[str, Scalar],
        epochs: int | None,
        *,
        refit_at_least: int = 0,
        optimizer: Literal["adam", "sgd"] = "adam",
    ) -> Self:
        """Return the schedule in a family's hyperparameters: `learning_rate`, `batch`, `epochs` and maybe `patience`.

        `epochs` are those of a refit without validation, at least `refit_at_least`; None where it is no refit.
        """
        patience = hyperparameters.get("patience")
        return cls(
            learning_rate=float(hyperparameters["learning_rate"]),
            batch=int(hyperparameters["batch"]),
            epochs=int(hyperparameters["epochs"]) if epochs is None else max(epochs, refit_at_least),
            patience=None if patience is None else int(patience),
            optimizer=optimizer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOutput:
    """The input and the output of a network, around the layers of its family."""

    columns: tuple[int, ...] = ()
    """Entries of a row's last axis that are read; all when empty."""
    standardised: bool = True
    ddof: int = 0
    """Of the standard deviation: 1 for that of a sample."""
    clip_sd: float | None = CLIP_SD
    """How many deviations from the mean an input may be; beyond it is clipped. None for no bound."""
    output: Literal["softmax", "sigmoid"] = "softmax"
    """A unit for each class, or a single one for the second of two."""
    l2: float = 0.0
    """Penalty on the kernel of the output layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkModel:
    """A trained Keras model."""

    network: Any
    graph: Any = None
    """The same as a TensorFlow function, for many rows; a model just fitted has none."""

    def probabilities(self, x: Float32) -> Float64:
        """Return the class probabilities of each row, shape (rows, classes)."""
        # Calling the model spares `predict` its tracing, which costs more than all the rows of a small library. With
        # many it pays: the graph of the segments' network is four times as fast, in batches that fit the cache.
        many = self.graph is not None and len(x) > _ROWS_PER_CALL
        step = _ROWS_PER_GRAPH if many else _ROWS_PER_CALL
        call = self.graph if many else partial(self.network, training=False)
        parts = [np.asarray(call(x[first : first + step]), dtype=np.float64) for first in range(0, len(x), step)]
        outputs = np.concatenate(parts) if parts else np.zeros((0, self.network.output_shape[-1]))
        # A single sigmoid is of the second of two classes.
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def save(self, folder: Path) -> None:
        """Write `model.keras`."""
        with warnings.catch_warnings():
            # TensorFlow variables do not know NumPy 2's `copy` yet; Keras gets its copy all the same.
            warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
            self.network.save(folder / FILE_NAME)


def load_network(folder: Path) -> NetworkModel:
    """Return the network saved in a folder, ready to predict; code inside the file is never run."""
    prepare()
    import keras
    import tensorflow as tf

    network = keras.models.load_model(folder / FILE_NAME, compile=False, safe_mode=True)
    rows = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    return NetworkModel(network=network, graph=tf.function(partial(network, training=False), input_signature=[rows]))


def fit_network(
    layers: Callable[[Any], list[Any]],
    train: LabelledRows,
    validation: LabelledRows | None,
    *,
    classes: int,
    schedule: Schedule,
    seed: int,
    input_output: InputOutput | None = None,
) -> Fit:
    """Fit a stack of layers between a standardising input and an output; without epochs its weights stay as drawn.

    `layers(keras)` returns the layers in between, unbuilt. Raises `ValueError` for columns that the rows do not have,
    a sigmoid for more than two classes, or a loss that is no number.
    """
    keras = fresh_keras(seed)
    import tensorflow as tf

    input_output = input_output or InputOutput()
    network = _build(keras, layers(keras), train.x, classes=classes, input_output=input_output)
    _compile(keras, network, schedule, input_output)
    stops = validation is not None and schedule.patience is not None
    stopper = keras.callbacks.EarlyStopping("val_loss", patience=schedule.patience or 0, restore_best_weights=True)
    reporter = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, values: report_epoch(epoch, values or {}))
    weights, ratios = train.weights(classes), train.prior_ratios(classes)
    if input_output.output == "sigmoid":
        train, validation = _as_column(train), validation and _as_column(validation)
    try:
        history = network.fit(
            _batches(tf, train, batch=schedule.batch, weights=weights, seed=seed),
            validation_data=None if validation is None else _batches(tf, validation, batch=_ROWS_PER_CALL),
            epochs=schedule.epochs,
            callbacks=[reporter, stopper] if stops else [reporter],
            shuffle=False,  # the batches are
            verbose=0,
        ).history
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(f"the network does not fit into memory: {error.message}") from error
    except tf.errors.OpError as error:
        raise ValueError(f"TensorFlow stopped the fit: {error.message}") from error
    curves = {name: tuple(float(value) for value in values) for name, values in history.items()}
    losses = curves.get("loss", ())
    if not np.isfinite(losses).all():
        raise ValueError(f"the loss became {losses[-1]} in epoch {len(losses)}; lower the learning rate")
    if losses and not np.allclose(ratios, 1, rtol=1e-6):
        _shift_output(network, ratios)
    return Fit(
        model=NetworkModel(network=network),
        epochs=int(np.argmin(curves["val_loss"])) + 1 if stops and losses else len(losses),
        parameters=sum(int(np.prod(weight.shape)) for weight in network.trainable_weights),
        curves=curves,
    )


def _build(keras: Any, layers: list[Any], x: Float32, *, classes: int, input_output: InputOutput) -> Any:
    """Return the network, its weights drawn; statistics of the rows `x` standardise its input."""
    if input_output.output == "sigmoid" and classes != 2:
        raise ValueError(f"a single sigmoid tells two classes apart, and there are {classes}; use another model family")
    inputs = tensor = keras.Input(x.shape[1:])
    if input_output.columns:
        if max(input_output.columns) >= x.shape[-1]:
            raise ValueError(f"columns: {max(input_output.columns)} is none of the {x.shape[-1]}, which count from 0")
        # As a list, and below: so it is saved in the configuration of the file and adds no weights.
        tensor = keras.ops.take(tensor, list(input_output.columns), axis=-1)
        x = x[..., list(input_output.columns)]
    if input_output.standardised:
        mean, deviation = column_statistics(x, ddof=input_output.ddof)
        tensor = keras.layers.Normalization(axis=-1, mean=mean.tolist(), variance=(deviation**2).tolist())(tensor)
        if input_output.clip_sd is not None:
            tensor = keras.ops.clip(tensor, -input_output.clip_sd, input_output.clip_sd)
    penalty = keras.regularizers.L2(input_output.l2) if input_output.l2 else None
    units = 1 if input_output.output == "sigmoid" else classes
    for layer in [*layers, keras.layers.Dense(units, activation=input_output.output, kernel_regularizer=penalty)]:
        tensor = layer(tensor)
    return keras.Model(inputs, tensor)


def _shift_output(network: Any, ratios: Float64) -> None:
    """Multiply the probabilities of a network by ratios (classes,) and make their sum 1 again.

    A factor of an output is an addition to the bias of its logit, so the file needs nothing beside the weights.
    """
    shift = np.log(ratios)
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel, bias + (shift if len(bias) > 1 else shift[1:] - shift[:1])])


def _compile(keras: Any, network: Any, schedule: Schedule, input_output: InputOutput) -> None:
    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    binary = ("binary_crossentropy", "accuracy", keras.metrics.Precision(name="precision"))
    network.compile(
        optimizer=optimizers[schedule.optimizer](schedule.learning_rate),
        loss="binary_crossentropy" if input_output.output == "sigmoid" else "sparse_categorical_crossentropy",
        metrics=[*binary, keras.metrics.Recall(name="recall")] if input_output.output == "sigmoid" else ["accuracy"],
        jit_compile=False,
        steps_per_execution=schedule.steps_at_once,
    )


def _as_column(data: LabelledRows) -> LabelledRows:
    """Return rows whose classes have the shape of a single output, (rows, 1)."""
    return LabelledRows(x=data.x, y=data.y[:, np.newaxis])


def _batches(
    tf: Any, data: LabelledRows, *, batch: int, weights: Float32 | None = None, seed: int | None = None
) -> Any:
    """Return a `tf.data.Dataset` of (x, y) or (x, y, weight) batches; shuffled anew each epoch when seeded.

    For small networks twice as fast as arrays given to `fit`.
    """
    columns = (data.x, data.y) if weights is None else (data.x, data.y, weights[data.y])
    rows = tf.data.Dataset.from_tensor_slices(columns)
    if seed is not None:
        rows = rows.shuffle(len(data.x), seed=seed % 2**31)
    return rows.batch(batch)
