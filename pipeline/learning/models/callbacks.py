"""Who wants to hear of a network's epochs while it is fitted: one listener per thread of control, set from outside.

A model family knows nothing of logs, and a log nothing of families; the fit in between tells whoever listens.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

EpochListener = Callable[[int, Mapping[str, float]], None]
"""Told the number of an epoch, the first is 0, and its loss, accuracy, val_loss, val_accuracy."""

_listener: ContextVar[EpochListener | None] = ContextVar("epoch_listener", default=None)


@contextmanager
def listening(listener: EpochListener) -> Iterator[None]:
    """Let a listener hear of every epoch of the fits within."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell_epoch(epoch: int, values: Mapping[str, float]) -> None:
    """Tell whoever listens that an epoch has ended."""
    listener = _listener.get()
    if listener is not None:
        listener(epoch, values)
