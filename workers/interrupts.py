"""Stopping on Ctrl-C and SIGTERM, surely.

An exception raised by a signal handler may land in code that swallows it, a finaliser for example. So the wish is also
remembered, and whoever waits asks for it.
"""

import signal
import threading
from types import FrameType

_asked = threading.Event()

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen() -> None:
    """From now on, let the signals that ask a program to stop raise `KeyboardInterrupt` in the main thread, once."""
    for number in SIGNALS:
        signal.signal(number, _handle)


def check() -> None:
    """Raise `KeyboardInterrupt` if a signal asked to stop and its own exception got lost."""
    if _asked.is_set():
        raise KeyboardInterrupt


def _handle(number: int, frame: FrameType | None) -> None:
    # Further signals while things are taken down change nothing; they would only leave something behind.
    if not _asked.is_set():
        _asked.set()
        raise KeyboardInterrupt
