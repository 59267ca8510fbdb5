"""What Flower knows of tasks and workers: kept in the home, and settled where the last event of a task was lost."""

import logging
import threading
import time
from pathlib import Path
from typing import Any

from flower.events import Events, EventsState
from tornado.ioloop import IOLoop, PeriodicCallback

from storage.home import Home
from workers.app.celery import app
from workers.app.task_names import NIGHTLY
from workers.service.task_endings import Ending, OpenTask, endings, run_of_night, shown_kwargs

log = logging.getLogger(__name__)

SETTLE_MS = 60_000
"""How often tasks that have not ended, as far as Flower knows, are looked up in the home."""

FRESH_S = 10.0
"""A task of which something was heard this recently may have its next event on the way."""

AWAY_S = 2.0
"""Seconds between two tries to reach a broker that is away."""


class FlowerHistory(Events):  # type: ignore[misc]
    """Flower's events: loaded from the home whatever became of the file, saved there if that can be."""

    def __init__(self, home: Home, *, io_loop: IOLoop, options: Any) -> None:
        self._home = home
        self._unsaved = False
        folder = home.path / "flower"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            log.warning("flower: no history is kept: %s: %s", folder, error.strerror)
        super().__init__(
            app,
            io_loop,
            db=str(folder / "history"),
            persistent=options.persistent,
            enable_events=options.enable_events,
            state_save_interval=options.state_save_interval,
            max_workers_in_memory=options.max_workers,
            max_tasks_in_memory=options.max_tasks,
        )
        self._settling = PeriodicCallback(self.settle, SETTLE_MS)

    def start(self) -> None:
        """Begin to listen, and to settle, at once and then every minute."""
        super().start()
        self.io_loop.add_callback(self.settle)
        self._settling.start()

    def run(self) -> None:
        """Listen for events, and again within seconds when the broker is back; Flower's own would wait ever longer."""
        away, pause = False, threading.Event()
        while True:
            try:
                with self.capp.connection() as connection:
                    receiver = self.capp.events.Receiver(connection, handlers={"*": self.on_event})
                    if away:
                        log.info("flower: the broker is back")
                    away = False
                    receiver.capture(limit=None, timeout=None, wakeup=True)
            except Exception as error:  # noqa: BLE001 - each transport has errors of its own, and the thread must live
                if not away:
                    log.warning("flower: no events: %s", error)
                away = True
                pause.wait(AWAY_S)

    def load_state(self) -> EventsState | None:
        """Return what was saved; a file that cannot be read is set aside, and Flower begins anew."""
        try:
            state = super().load_state()  # which sets a broken file aside, if it may
        except OSError as error:
            log.warning("flower: its history cannot be set aside: %s; it begins anew", error)
            return None
        if state is not None and not isinstance(state, EventsState):
            self._set_aside()
            return None
        return state

    def save_state(self) -> None:
        """Save, or say once that it cannot be saved: Flower shows what it knows all the same."""
        try:
            super().save_state()
        except Exception as error:  # noqa: BLE001 - each kind of file that Python may keep it in has errors of its own
            if not self._unsaved:
                log.warning("flower: its history cannot be saved: %s", error)
            self._unsaved = True
        else:
            self._unsaved = False

    def _set_aside(self) -> None:
        log.warning("flower: %s holds no history of Flower's; it is set aside, and a new one begun", self.db)
        for path in Path(self.db).parent.glob("history*"):
            if not path.name.endswith(".corrupt"):
                path.replace(path.with_name(f"{path.name}.corrupt"))

    async def settle(self) -> None:
        """End the tasks that have ended by what the home has of them, and say of which run a night is."""
        tasks = self._open_tasks()
        try:
            found, runs = await self.io_loop.run_in_executor(None, _look_up, self._home, tasks)
        except OSError as error:
            log.warning("flower: tasks are not settled: %s", error)
            return
        for uuid, run_id in runs.items():
            self._name_run(uuid, run_id)
        for uuid, ending in found.items():
            self._end(uuid, ending)

    def _open_tasks(self) -> list[OpenTask]:
        """Return the tasks that have not ended, and the nights of which Flower does not know the run."""
        now_s = time.time()
        found = []
        for uuid, task in self.state.itertasks():
            nameless = task.name == NIGHTLY and "run_id" not in (task.kwargs or "")
            if task.name is None or task.worker is None or (task.ready and not nameless):
                continue
            since_s = task.timestamp or 0.0
            if nameless or abs(now_s - since_s) > FRESH_S:
                found.append(OpenTask(uuid, task.name, task.args or "", shown_kwargs(task.kwargs), since_s))
        return found

    def _name_run(self, uuid: str, run_id: str) -> None:
        """Show the run of a night among its arguments; when it was published there was none yet."""
        task = self.state.tasks.data.get(uuid)
        if task is not None:
            task.kwargs = repr({"run_id": run_id, **shown_kwargs(task.kwargs)})  # first: what is long is cut off
            self.state.search_engine.upsert(task)

    def _end(self, uuid: str, ending: Ending) -> None:
        """Take the event that was lost as if it came now; one that comes still replaces it."""
        task = self.state.tasks.data.get(uuid)
        if task is None or task.ready:
            return
        field = "exception" if ending.state == "failed" else "result"
        self.state.event(
            {
                "type": f"task-{ending.state}",
                "uuid": uuid,
                "hostname": task.worker.hostname,
                "timestamp": time.time(),
                # None, as the worker did not send it: it would seem to be alive.
                "local_received": None,
                "clock": task.clock,
                field: ending.words,
            }
        )


def _look_up(home: Home, tasks: list[OpenTask]) -> tuple[dict[str, Ending], dict[str, str]]:
    """Return how tasks ended, and the runs of nights, by task."""
    nights = [task for task in tasks if task.name == NIGHTLY and "run_id" not in task.kwargs]
    runs = {task.uuid: run_id for task in nights if (run_id := run_of_night(home, task.kwargs)) is not None}
    return endings(home, tasks), runs
