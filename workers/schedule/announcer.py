"""Telling of the nights of a home, beside beat, in a thread: neither a night nor its lock ever waits for a recipient.

All that is told is read from the documents of the home. So nothing is lost with a process that is killed between a
night's end and its notice, or with a broker that is away; several at once tell once.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from pipeline.errors import ChordalError, StoreError
from storage.home import Home
from workers.notices.delivery import deliver_all
from workers.notices.disk import describe_low_disk
from workers.notices.notice import Notice
from workers.notices.outbox import OLDEST, Outbox, Recipients
from workers.schedule.current import current_night
from workers.schedule.night_notices import (
    disk_notice,
    overdue_notice,
    overdue_reason,
    result_event,
    result_notice,
)
from workers.schedule.nights import Nights, Schedule

log = logging.getLogger(__name__)

CHECK_S = 2.0
"""How often it is looked for something to tell."""
DISK_S = 60.0
"""How often the room on the disk is looked at."""
RECENT = 8
"""Of how many of the newest nights it is told."""
DISK_AGAIN = timedelta(days=1)
"""How long after a notice of a full disk the next one comes."""


class Announcer:
    """Tells of what happens in a home; its memory may be lost."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._nights = Nights(home.path)
        self._outbox = Outbox(home.path)
        self._thread: threading.Thread | None = None
        self._telling: dict[str, threading.Thread] = {}
        """The thread that tells each recipient, or did so last: one that hangs keeps no other waiting."""
        self._next_s = 0.0
        self._disk_s = 0.0
        self._disk_told_s: float | None = None
        self._unwritten: set[tuple[datetime, str]] = set()
        self._slot = ""
        self._was_up = False
        self._due_s = self._busy_s = 0.0
        self._trouble = ""

    def update(self, *, now_s: float) -> None:
        """Look for something to tell, and begin to tell it, unless that was done just now; `now_s` is monotonic."""
        if now_s < self._next_s or (self._thread is not None and self._thread.is_alive()):
            return
        if not self._next_s:  # before anybody begins a night whose hour passed while nothing was up
            self._log_errors(self.announce, datetime.now(UTC), now_s=now_s)
        self._next_s = now_s + CHECK_S
        self._thread = threading.Thread(
            target=self._log_errors,
            args=(self.check, datetime.now(UTC)),
            kwargs={"now_s": now_s},
            name="announcer",
            daemon=True,
        )
        self._thread.start()

    def check(self, now: datetime, *, now_s: float) -> list[threading.Thread]:
        """Look for something to tell, and begin to tell it: each recipient in a thread. Raises `StoreError`."""
        try:
            self.announce(now, now_s=now_s)
        finally:  # what was written down is delivered in any case
            begun = self._deliver_pending(now)
        return begun

    def _deliver_pending(self, now: datetime) -> list[threading.Thread]:
        begun = []
        for recipient in self._outbox.recipients().recipients:
            telling = self._telling.get(recipient.name)
            if telling is None or not telling.is_alive():
                thread = threading.Thread(
                    target=self._log_errors, args=(self._outbox.deliver_pending, recipient, now), daemon=True
                )
                self._telling[recipient.name] = thread
                begun.append(thread)
                thread.start()
        return begun

    def announce(self, now: datetime, *, now_s: float) -> None:
        """Write down what there is to tell. Raises `StoreError`."""
        recipients, schedule = self._outbox.recipients(), self._nights.schedule()
        if not recipients.recipients or schedule is None:
            return
        errors: list[StoreError] = []
        for announce in (self._announce_results, self._announce_overdue, self._announce_disk):
            try:
                announce(recipients, schedule, now, now_s)
            except StoreError as error:
                errors.append(error)
        if errors:
            raise errors[0]  # of one thing; of the others it was told

    def _log_errors(self, work: Callable[..., object], *arguments: Any, **options: Any) -> None:
        """Do some work of which nobody waits for the result."""
        try:
            work(*arguments, **options)
        except (ChordalError, OSError) as error:
            if str(error) != self._trouble:  # not the same line every few seconds
                log.warning("not everybody is told: %s", error)
            self._trouble = str(error)

    def _announce_results(self, recipients: Recipients, schedule: Schedule, now: datetime, _now_s: float) -> None:
        results = self._nights.results(last=RECENT, now=now)
        since = datetime.fromisoformat(recipients.since) if recipients.since else now - OLDEST
        oldest = now - OLDEST if since > now else max(since, now - OLDEST)  # a clock was ahead, or is right
        for result, before in pairwise([*results, None]):
            if result is None or datetime.fromisoformat(result.ended) < oldest:
                continue
            event = result_event(result, before, recipients.events)
            slot = datetime.fromisoformat(result.slot)
            what = "nothing_ran" if event == "nothing_ran" else "result"
            if event is not None and not self._outbox.has(slot, what):
                self._publish(recipients, slot, what, result_notice(self._home, schedule, result, event))

    def _announce_overdue(self, recipients: Recipients, schedule: Schedule, now: datetime, now_s: float) -> None:
        if "nothing_ran" not in recipients.events:
            return
        night, was_up = current_night(self._home, now), self._was_up
        self._was_up = True
        if night is None:
            return
        if night.slot != self._slot:
            self._slot, self._due_s, self._busy_s = night.slot, now_s, now_s
        if night.state in {"runs", "waits"}:
            self._busy_s = now_s
        reason = overdue_reason(
            night, schedule, waited_s=now_s - self._due_s, idle_s=now_s - self._busy_s, was_up=was_up
        )
        slot = datetime.fromisoformat(night.slot)
        if reason and not self._outbox.has(slot, "nothing_ran"):
            self._publish(recipients, slot, "nothing_ran", overdue_notice(self._home, schedule, night, reason))

    def _announce_disk(self, recipients: Recipients, _schedule: Schedule, now: datetime, now_s: float) -> None:
        if "disk_low" not in recipients.events or now_s < self._disk_s:
            return
        self._disk_s = now_s + DISK_S
        reason = describe_low_disk(self._home.path)
        last = self._outbox.newest("disk_low", now)
        is_told = self._disk_told_s is not None and now_s - self._disk_told_s < DISK_AGAIN.total_seconds()
        if reason and not is_told and (last is None or now - last >= DISK_AGAIN):
            self._disk_told_s = now_s
            self._publish(recipients, now, "disk_low", disk_notice(self._home, reason))

    def _publish(self, recipients: Recipients, moment: datetime, what: str, notice: Notice) -> None:
        """Write a notice down; where nothing can be written it is told at once, and remembered here alone."""
        try:
            self._outbox.publish(moment, what, notice)
        except StoreError:
            if (moment, what) not in self._unwritten:
                self._unwritten.add((moment, what))
                deliver_all([recipient.target for recipient in recipients.recipients], notice)
