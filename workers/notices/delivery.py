"""Delivery of a notice: one attempt by the target's kind, several where that may help, never longer than a limit."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from pipeline.clock import now
from pipeline.errors import ChordalError
from pipeline.wire import Value
from workers.notices import command, mail, web
from workers.notices.errors import RefusedError, UndeliveredError
from workers.notices.notice import Event, Notice
from workers.notices.targets import Target

LIMIT_S = 30.0
"""How long an attempt may take."""
ANSWER_S = 10.0
"""How long a page or a mail server may take for its next answer."""
ATTEMPTS = 3
"""How often a page or a mail server is tried before the notice counts as undelivered."""
PAUSE_S = 2.0
"""Between the first two attempts; twice as long between the next two."""


class Delivery(Value, frozen=True, kw_only=True):
    """What came of the attempts to deliver a notice to a target."""

    target: str
    """For people, without secrets."""
    event: Event
    state: Literal["delivered", "failed"]
    reason: str = ""
    """Why it failed."""
    at: str
    """ISO 8601, UTC."""
    seconds: float
    rounds: int = 1
    """How often it was tried, each time with all its attempts."""


def deliver(
    target: Target, notice: Notice, *, limit_s: float = LIMIT_S, attempts: int = ATTEMPTS, pause_s: float = PAUSE_S
) -> Delivery:
    """Deliver a notice to a target and return what came of it; a failure raises nothing."""
    begun_s = time.monotonic()
    reason = ""
    pause = threading.Event()
    for attempt in range(attempts):
        if attempt:
            pause.wait(pause_s * 2.0 ** (attempt - 1))
        try:
            _attempt(target, notice, limit_s)
            reason = ""
        except RefusedError as error:
            reason = str(error)
            break
        except ChordalError as error:
            reason = str(error)
            continue
        break
    return Delivery(
        target=target.masked,
        event=notice.event,
        state="failed" if reason else "delivered",
        reason=reason,
        at=now(),
        seconds=round(time.monotonic() - begun_s, 3),
    )


def deliver_all(targets: Sequence[Target], notice: Notice, *, limit_s: float = LIMIT_S) -> list[Delivery]:
    """Deliver a notice to targets, all at once, and return what came of each, in their order."""
    found: dict[int, Delivery] = {}

    def work(at: int) -> None:
        found[at] = deliver(targets[at], notice, limit_s=limit_s)

    threads = [threading.Thread(target=work, args=(at,), daemon=True) for at in range(len(targets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[at] for at in range(len(targets))]


def _attempt(target: Target, notice: Notice, limit_s: float) -> None:
    answer_s = min(limit_s, ANSWER_S)
    if target.kind == "command":  # its guard minds the time
        command.run(target.words, notice, limit_s=limit_s)
    elif target.kind == "web":
        _within(limit_s, lambda: web.post(target.address, notice, timeout_s=answer_s))
    else:
        _within(limit_s, lambda: mail.send(target.address, notice, timeout_s=answer_s))


def _within(limit_s: float, work: Callable[[], None]) -> None:
    """Do some work in a thread of its own, and wait for it for a time.

    The time limits of sockets count from one byte to the next, and that of a search for a host's address is the
    system's. Raises what the work raises, or `RefusedError` when it takes longer: it may yet be done.
    """
    ended = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name="delivery", daemon=True).start()
    if not ended.wait(limit_s):
        raise RefusedError(f"did not answer within {limit_s:g} s")
    if errors:
        error = errors[0]
        raise error if isinstance(error, ChordalError) else UndeliveredError(f"{type(error).__name__}: {error}")
