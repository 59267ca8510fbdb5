"""Stopping on Ctrl-C and SIGTERM, reliably.

An exception raised by a signal handler may land in code that swallows it, a finaliser for example. So it is also kept
that a signal came, and whoever waits calls `check`.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_stopping = threading.Event()
_interrupt_asks = threading.Event()
_requested = threading.Event()

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen() -> None:
    """From now on, let the first signal that stops a program raise `KeyboardInterrupt` in the main thread."""
    for number in SIGNALS:
        signal.signal(number, _handle)


def check() -> None:
    """Raise `KeyboardInterrupt` if a signal asked to stop and its own exception got lost."""
    if _stopping.is_set():
        raise KeyboardInterrupt


@contextmanager
def first_interrupt_asks() -> Iterator[None]:
    """In this context the first Ctrl-C only makes `stop_requested` true; the next one raises."""
    _interrupt_asks.set()
    try:
        yield
    finally:
        _interrupt_asks.clear()


def stop_requested() -> bool:
    """Return whether there was a Ctrl-C that did not raise."""
    return _requested.is_set()


def stop() -> None:
    """Raise `KeyboardInterrupt`; from now on further signals change nothing."""
    _stopping.set()
    raise KeyboardInterrupt


def _handle(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT and _interrupt_asks.is_set() and not _requested.is_set():
        _requested.set()
        return
    # Further signals while things are taken down change nothing; they would only leave something behind.
    if not _stopping.is_set():
        _stopping.set()
        raise KeyboardInterrupt
