"""What all Keras families share: the fit over tf.data, class weights, saving and loading `.keras` files."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.models.base import CLIP_SD, Fit, Labelled, balanced_weights, standardising
from pipeline.models.runtime import fresh_keras, prepare

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
        return np.concatenate(parts) if parts else np.zeros((0, self.network.output_shape[-1]))

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
    train: Labelled,
    validation: Labelled | None,
    *,
    classes: int,
    schedule: Schedule,
    seed: int,
    l2: float = 0.0,
) -> Fit:
    """Fit a stack of layers between a standardising input and a softmax.

    `layers(keras)` returns the layers in between, unbuilt; `l2` is the penalty on the softmax layer's kernel.
    """
    keras = fresh_keras(seed)
    import tensorflow as tf

    mean, deviation = standardising(train.x)
    inputs = keras.Input(train.x.shape[1:])
    # Lists, not arrays: so they travel in the file's configuration and add no weights.
    tensor = keras.layers.Normalization(axis=-1, mean=mean.tolist(), variance=(deviation**2).tolist())(inputs)
    tensor = keras.ops.clip(tensor, -CLIP_SD, CLIP_SD)
    penalty = keras.regularizers.L2(l2) if l2 else None
    for layer in [*layers(keras), keras.layers.Dense(classes, activation="softmax", kernel_regularizer=penalty)]:
        tensor = layer(tensor)
    network = keras.Model(inputs, tensor)
    network.compile(
        optimizer=keras.optimizers.Adam(schedule.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    stops = validation is not None and schedule.patience is not None
    stopper = keras.callbacks.EarlyStopping("val_loss", patience=schedule.patience or 0, restore_best_weights=True)
    try:
        history = network.fit(
            _batches(tf, train, batch=schedule.batch, weights=balanced_weights(train.y, classes), seed=seed),
            validation_data=None if validation is None else _batches(tf, validation, batch=_ROWS_PER_CALL),
            epochs=schedule.epochs,
            callbacks=[stopper] if stops else [],
            shuffle=False,  # the batches are
            verbose=0,
        ).history
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(f"the network does not fit into memory: {error.message}") from error
    except tf.errors.OpError as error:
        raise ValueError(f"TensorFlow stopped the fit: {error.message}") from error
    curves = {name: tuple(float(value) for value in values) for name, values in history.items()}
    if not np.isfinite(curves["loss"]).all():
        raise ValueError(
            f"the loss became {curves['loss'][-1]} in epoch {len(curves['loss'])}; lower the learning rate"
        )
    return Fit(
        model=NetworkModel(network=network),
        epochs=int(np.argmin(curves["val_loss"])) + 1 if stops else len(curves["loss"]),
        parameters=sum(int(np.prod(weight.shape)) for weight in network.trainable_weights),
        curves=curves,
    )


def _batches(tf: Any, data: Labelled, *, batch: int, weights: Float32 | None = None, seed: int | None = None) -> Any:
    """Return a `tf.data.Dataset` of (x, y) or (x, y, weight) batches; shuffled anew each epoch when seeded.

    For small networks twice as fast as arrays given to `fit`.
    """
    columns = (data.x, data.y) if weights is None else (data.x, data.y, weights[data.y])
    rows = tf.data.Dataset.from_tensor_slices(columns)
    if seed is not None:
        rows = rows.shuffle(len(data.x), seed=seed % 2**31)
    return rows.batch(batch)
