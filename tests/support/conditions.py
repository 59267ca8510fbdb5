"""Waiting for a condition with a deadline, shared by all tests."""

import threading
import time
from collections.abc import Callable


def eventually(
    condition: Callable[[], object],
    *,
    within_s: float = 120.0,
    ignoring: tuple[type[BaseException], ...] = (),
    every_s: float = 0.05,
):
    """Return the condition's first true value; fails when there is none within the deadline."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while True:
        try:
            value = condition()
        except ignoring:
            value = None
        if value:
            return value
        assert time.monotonic() < deadline, f"not true within {within_s:.0f} s"
        pause.wait(every_s)
