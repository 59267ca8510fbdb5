"""A probe of a broker while it is in use: says when it goes away or refuses, why, and when it is back."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import redis

from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.broker.rights import try_work

EVERY_S = 2.0
AMQP_EVERY_S = 5.0
"""Likewise with a RabbitMQ, whose log has a line for each connection."""
WORK_PROBES = 3
"""The last of so many probes does all that work does: some of it may be refused where a write is not."""
TIMEOUT_S = 2.0
PATIENCE_S = 2.5
"""How long a broker may not be reached before that is said: one that is started again is back sooner."""


class BrokerProbe:
    """A thread that tries a broker every few seconds, for as long as the context lasts.

    `show` gets a line when the broker is away or refuses, another one when the reason changes, and one when it is back:
    each within ten seconds. It is called in the thread, since whoever works with the broker may be held up by it.
    """

    def __init__(self, address: BrokerAddress, show: Callable[[str], None]) -> None:
        self.trouble = ""
        """Why the broker cannot be used, in words; empty while it can."""
        self._address = address
        self._show = show
        self._every_s = EVERY_S if address.amqp is None else AMQP_EVERY_S
        self._since_s: float | None = None
        self._is_full = False
        self._was_refused = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._is_asked = False
        self._thread = threading.Thread(target=self._run, name="broker probe", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(3 * TIMEOUT_S)
        if kind is None and self.trouble and self._is_back():
            self._show(self._line("back"))  # whoever worked with it came to an end before it was probed again

    def probe_soon(self) -> None:
        """Do all that work does at once: something ended for want of the broker."""
        self._is_asked = True
        self._wake.set()

    @property
    def away_s(self) -> float:
        """For how long the broker could not be used; 0 while it can."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    @property
    def is_full(self) -> bool:
        """Whether the broker takes nothing since its memory is full."""
        return self._is_full

    def _run(self) -> None:
        client = self._address.client(timeout_s=TIMEOUT_S, retries=0)
        count = 0
        try:
            while not self._paused():
                began_s = time.monotonic()
                count += 1
                try:
                    if self.trouble or self._is_asked or count % WORK_PROBES == 0:
                        self._is_asked = False
                        self._try_work(client)
                    else:
                        health.probe(client)
                    health.probe_amqp(self._address, timeout_s=TIMEOUT_S)
                except health.BROKER_ERRORS as error:
                    self._note_trouble(error, began_s)
                else:
                    self._note_answer()
        finally:
            client.close()

    def _paused(self) -> bool:
        """Wait for the next probe; return whether there is none."""
        self._wake.wait(self._every_s)
        self._wake.clear()
        return self._stop.is_set()

    def _is_back(self) -> bool:
        client = self._address.client(timeout_s=TIMEOUT_S, retries=0)
        try:
            self._try_work(client)
            health.probe_amqp(self._address, timeout_s=TIMEOUT_S)
        except health.BROKER_ERRORS:
            return False
        finally:
            client.close()
        return True

    def _try_work(self, client: redis.Redis) -> None:
        try_work(client, carries_tasks=self._address.amqp is None)

    def _note_trouble(self, error: BaseException, began_s: float) -> None:
        if self._since_s is None:
            self._since_s = began_s
        self._is_full = health.is_full(error)
        is_refusal = _is_refusal(error)
        if not is_refusal and not self.trouble and self.away_s < PATIENCE_S:
            return
        # A server that is not reached is not in many ways, one after the other.
        if self.trouble and not is_refusal and not self._was_refused:
            return
        reason = health.describe_error(error, self._address)
        if reason != self.trouble:
            self.trouble, self._was_refused = reason, is_refusal
            self._say(f"{reason}; waiting")

    def _note_answer(self) -> None:
        said, self.trouble, self._since_s, self._is_full = self.trouble, "", None, False
        if said:
            self._say("back")

    def _say(self, words: str) -> None:
        if not self._stop.is_set():
            self._show(self._line(words))

    def _line(self, words: str) -> str:
        return f"broker {self._address.without_password}: {words}"


def _is_refusal(error: BaseException) -> bool:
    """Tell whether a broker answers and refuses, and is not only away, or reading its file before it answers."""
    return isinstance(error, (redis.AuthenticationError, redis.exceptions.AuthorizationError, redis.ResponseError))
