"""The set-up of TensorFlow and Keras in a process: one thread, seeded, quiet. Keras is imported here first."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any

_BEFORE: list[Callable[[], object]] = []
_AROUND: list[Callable[[], AbstractContextManager[object]]] = []


def before_tensorflow(action: Callable[[], object]) -> None:
    """Register an action for each process before it imports TensorFlow, such as choosing its GPU."""
    _BEFORE.append(action)


def around_tensorflow(context: Callable[[], AbstractContextManager[object]]) -> None:
    """Register a context for the import of TensorFlow, such as one that hides what its libraries print."""
    _AROUND.append(context)


@cache
def prepare() -> None:
    """Set TensorFlow to one thread and to errors only; once per process, before the first operation.

    Workers are processes: one thread each uses all cores, and a sum has one order, so that seeds repeat runs. On a GPU
    it takes memory as it needs it, and leaves the rest to others.
    """
    for action in _BEFORE:
        action()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with ExitStack() as around:
        for context in _AROUND:
            around.enter_context(context())
        _start()


def _start() -> None:
    with _quiet_imports():
        import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, enable=True)
    except RuntimeError:
        # Someone ran an operation in this process before us: it stays as it is, results stay right.
        logging.getLogger(__name__).debug("TensorFlow had already started; its threads and memory stay")


def fresh_keras(seed: int) -> Any:
    """Return the `keras` module with nothing left of earlier models, and every generator seeded."""
    prepare()
    with _quiet_imports():
        import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed % 2**32)
    return keras


@contextmanager
def _quiet_imports() -> Iterator[None]:
    """Hide the deprecations that TensorFlow and Keras raise against their own dependencies while importing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
