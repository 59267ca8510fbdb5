"""Stopping on Ctrl-C and SIGTERM, surely.

An exception raised by a signal handler may land in code that swallows it, a finaliser for example. So the wish is also
remembered, and whoever waits asks for it.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked = threading.Event()
_patient = threading.Event()
_wished = threading.Event()

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen() -> None:
    """From now on, let the signals that ask a program to stop raise `KeyboardInterrupt` in the main thread, once."""
    for number in SIGNALS:
        signal.signal(number, _handle)


def check() -> None:
    """Raise `KeyboardInterrupt` if a signal asked to stop and its own exception got lost."""
    if _asked.is_set():
        raise KeyboardInterrupt


@contextmanager
def first_interrupt_asks() -> Iterator[None]:
    """In this context the first Ctrl-C is only a wish, which `wished` tells; the next one raises."""
    _patient.set()
    try:
        yield
    finally:
        _patient.clear()


def stop_requested() -> bool:
    """Tell whether somebody pressed Ctrl-C, patiently."""
    return _wished.is_set()


def stop() -> None:
    """Raise `KeyboardInterrupt`; from now on further signals change nothing."""
    _asked.set()
    raise KeyboardInterrupt


def _handle(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT and _patient.is_set() and not _wished.is_set():
        _wished.set()
        return
    # Further signals while things are taken down change nothing; they would only leave something behind.
    if not _asked.is_set():
        _asked.set()
        raise KeyboardInterrupt
