"""The listener to a network's epochs while it is fitted: one per thread of control, set from outside.

A model family knows nothing of logs, and a log nothing of families; the fit in between calls the listener.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

EpochListener = Callable[[int, Mapping[str, float]], None]
"""Called with the number of an epoch, from 0, and its loss, accuracy, val_loss, val_accuracy."""

_current: ContextVar[EpochListener | None] = ContextVar("epoch_listener", default=None)


@contextmanager
def epoch_listener(listener: EpochListener) -> Iterator[None]:
    """Call a listener after every epoch of the fits within."""
    token = _current.set(listener)
    try:
        yield
    finally:
        _current.reset(token)


def report_epoch(epoch: int, values: Mapping[str, float]) -> None:
    """Call the listener, if there is one, after an epoch."""
    listener = _current.get()
    if listener is not None:
        listener(epoch, values)
