"""Celery beat for a home: of several that run, the one that holds a lock in the broker sends what is due.

Nothing depends on the lock: it may be lost with the broker, and a beat that was stopped for long may come back without
it. What a message asks for is done once, however many are sent, since a night is begun and settled by documents that
one process can publish.
"""

import logging
import time
from datetime import UTC, datetime
from typing import Any

import redis
from celery.apps.beat import Beat
from celery.beat import ScheduleEntry, Scheduler, SchedulingError
from kombu.exceptions import OperationalError
from redis.lock import Lock

from pipeline.errors import ChordalError
from pipeline.wire import Value
from storage.home import lock_holder
from workers.app.celery import app, configure
from workers.app.context import current, queues_of
from workers.app.settings import SCHEDULE, Settings
from workers.processes import signals
from workers.runs.active import active_runs
from workers.schedule.announcer import Announcer
from workers.schedule.cron import Due, maintenance_due, night_due
from workers.schedule.nights import LOCK_FOLDER, Nights

log = logging.getLogger(__name__)

LOCK = "chordal:beat"
LOCK_S = 10.0
"""How long the others wait for a beat that was killed."""
TICK_S = 1.0
RESEND_S = 60.0
"""How long a night may stay unbegun while the home is free before its order is sent again: the message was lost."""


class Order(Value, frozen=True, kw_only=True):
    """A task to be sent now."""

    task: str
    kwargs: dict[str, Any] = {}


class Memory:
    """What a beat has sent and when, so that it sends it once; it may be lost. Times are of a monotonic clock."""

    def __init__(self, *, now_s: float) -> None:
        self.night: Due | None = None
        self.night_s = 0.0
        self.reconcile_s = now_s
        self.maintenance_s = -RESEND_S


def due_orders(
    nights: Nights, memory: Memory, *, home_busy: bool, worker_busy: bool, now: datetime, now_s: float
) -> list[Order]:
    """Return what to send at this tick, and remember it.

    `home_busy` says whether a run goes on in the home: a night waits for it. `worker_busy` says whether the worker of
    the queue `schedule` is at a run, or has an order before it: then it would take up no other. `now_s` is a monotonic
    clock, seconds.
    """
    schedule = nights.schedule()
    if schedule is None:
        return []
    orders: list[Order] = []
    due = night_due(schedule, nights.last_settled(now), now)
    if due is not None:
        if memory.night is not None and memory.night.slot == due.slot:
            due = memory.night  # one that waits for the home was not missed
        else:
            memory.night, memory.night_s = due, -RESEND_S
        if not home_busy and now_s - memory.night_s >= RESEND_S:
            memory.night_s = now_s
            orders.append(Order(task="nightly", kwargs={"slot": due.slot.isoformat(), "missed": due.missed}))
    if not worker_busy and now_s - memory.reconcile_s >= schedule.reconcile_s:
        memory.reconcile_s = now_s
        orders.append(Order(task="reconcile"))
    last = nights.last_maintenance()
    if now_s - memory.maintenance_s >= RESEND_S and maintenance_due(
        schedule, datetime.fromisoformat(last.ended) if last else None, now
    ):
        memory.maintenance_s = now_s
        orders.append(Order(task="tidy"))
    return orders


class HomeScheduler(Scheduler):  # type: ignore[misc]
    """Sends what is due in a home, while it holds the lock."""

    max_interval = TICK_S

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._context = current()
        self._nights = Nights(self._context.path)
        self._trouble = ""
        self._memory = Memory(now_s=time.monotonic())
        self._client = self._context.settings.broker.client(retries=0)
        self._lock = Lock(self._client, LOCK, timeout=LOCK_S, thread_local=False)
        self._queues = queues_of(self._context.settings.broker, self._client)
        self._leads = False
        self._announcer = Announcer(self._context)

    def setup_schedule(self) -> None:
        """Nothing stands in Celery's settings; the home says what is due."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Send what is due and return how long to sleep, seconds. Raises `KeyboardInterrupt` when a signal asked to."""
        signals.check()
        # Whoever leads, and whether the broker answers or not: then above all there is something to tell.
        self._announcer.update(now_s=time.monotonic())
        try:
            if self._holds_lock():
                orders = due_orders(
                    self._nights,
                    self._memory,
                    # The lock, too: a service that starts has it until everything answers.
                    home_busy=bool(active_runs(self._context)) or lock_holder(self._context.path) is not None,
                    # Not by a time after which an order expires: the worker's clock may be another host's.
                    worker_busy=lock_holder(self._context.path / LOCK_FOLDER) is not None
                    or bool(self._queues.depths((SCHEDULE,))[SCHEDULE]),
                    now=datetime.now(UTC),
                    now_s=time.monotonic(),
                )
                for order in orders:
                    self._send(order)
            self._log_trouble("")
        except (ChordalError, redis.RedisError, OperationalError, SchedulingError) as error:
            # Whatever is away will be back, and what is due will still be so.
            self._log_trouble(" ".join(str(error).split()))
        return TICK_S

    def _log_trouble(self, reason: str) -> None:
        """Log once why nothing can be sent, and once that it can again."""
        if reason and reason != self._trouble:
            log.warning("nothing is sent: %s", reason)
        elif self._trouble and not reason:
            log.warning("what is due is sent again")
        self._trouble = reason

    def _holds_lock(self) -> bool:
        try:
            if self._lock.local.token is not None and self._lock.owned():
                self._lock.reacquire()
                return True
        except redis.exceptions.LockError:
            self._lock.local.token = None
        leads = bool(self._lock.acquire(blocking=False))
        if not leads and self._client.pttl(LOCK) > LOCK_S * 1000:
            # Longer than anybody holds it: the broker's clock was set back, and a dead one's lock would last for hours.
            self._client.pexpire(LOCK, int(LOCK_S * 1000))
        if leads != self._leads:
            log.info("this beat %s", "acts now" if leads else "waits: another one acts")
        self._leads = leads
        return leads

    def _send(self, order: Order) -> None:
        log.info("%s is due %s", order.task, order.kwargs or "")
        task = f"chordal.schedule.{order.task}"
        entry = ScheduleEntry(name=order.task, task=task, schedule=TICK_S, kwargs=order.kwargs, app=self.app)
        self.apply_async(entry, producer=self.producer, advance=False)

    def close(self) -> None:
        """Let another beat take over at once."""
        try:
            if self._lock.local.token is not None:
                self._lock.release()
        except redis.RedisError:
            pass  # it goes by itself
        super().close()


class HomeBeat(Beat):  # type: ignore[misc]
    """Celery's program around the scheduler, but one that ends when a signal asks it to."""

    def install_sync_handler(self, service: Any) -> None:
        """Let signals stop it as they stop other commands.

        Celery's own handler raises an exception that is lost when it lands in a finaliser, such as that of the result
        of what was just sent; and it writes to the broker, in the middle of whatever else is being written to it.
        """
        signals.listen()


def beat(settings: Settings) -> None:
    """Send what is due in a home until a signal asks to stop."""
    configure(settings, "client")
    HomeBeat(
        app=app, scheduler_cls=HomeScheduler, quiet=True, loglevel="INFO", max_interval=TICK_S, remote_control=True
    ).run()
