"""The kernel's notifications of changes, by watchdog's observers, with word of those that were lost.

watchdog itself logs a lost one and goes on, passes over folders of which the kernel notifies no more, and says nothing
of a thread that died.
"""

import errno
import logging
import os
import sys
import threading
import warnings
from contextlib import suppress
from typing import Any, Literal

from watchdog.observers.api import BaseObserver
from watchdog.utils import BaseThread

Loss = Literal["overflow", "unmounted", "replaced", "exchanged", "ended", "limit"]
"""Why the notifications are not all that there is: the kernel's queue was full; what was watched was unmounted, or is
another folder now; two folders in it took each other's place; a thread ended; the kernel watches no more folders."""

LIMITS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}
"""The kernel's limits on notifications, by the error of whoever reaches one."""


class Notices:
    """What became known of lost notifications; written by watchdog's threads, read by any."""

    def __init__(self) -> None:
        self.folders: int | None = None
        """How many folders are watched, where that is known."""
        self.limit: OSError | None = None
        """The limit that a folder met."""
        self.loss: Loss | None = None


if sys.platform == "linux":
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import (
        CallbackId,
        InotifyConstants,
        InotifyEvent,
        InotifyFD,
        Mask,
        WatchCallback,
        WatchDescriptor,
    )

    REPORTS_CLOSE = True
    """Whether it is notified when whoever wrote to a file closes it."""

    class _Inotify(InotifyFD):
        """The kernel's queue of notifications."""

        def __init__(self, notices: Notices) -> None:
            super().__init__()
            self._notices = notices
            notices.folders = 0

        def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
            if not os.access(path, os.R_OK):  # watchdog takes the refusal for a watch
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fsdecode(path))
            try:
                descriptor = super().add_callback(path, mask, callback, id_)
            except OSError as error:
                if error.errno in LIMITS:
                    self._notices.limit = error
                raise
            self._notices.folders = (self._notices.folders or 0) + 1
            return descriptor

        def handle_event(self, event: InotifyEvent) -> None:
            try:
                super().handle_event(event)
            except KeyError:
                self._notices.loss = "ended"  # watchdog lost its way among folders that were moved
            if event.is_queue_overflow:
                self._notices.loss = "overflow"
            elif event.mask & InotifyConstants.IN_UNMOUNT:
                self._notices.loss = "unmounted"

    class _Emitter(InotifyEmitter):
        """What turns notifications of one folder into events."""

        def on_thread_stop(self) -> None:
            group = self._inotify
            try:
                super().on_thread_stop()
            except KeyError:  # the same: each attempt gets further, and without the last one its thread waits for ever
                while group is not None:
                    with suppress(KeyError):
                        group.deactivate()
                        break

    class _Observer(BaseObserver):
        """Observes by a queue of its own, as watchdog's own observer does."""

        def __init__(self, notices: Notices) -> None:
            self._queue = _Inotify(notices)
            super().__init__(_Emitter, inotify_fd=self._queue)
            self._queue.start()

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self._queue.stop()
            self._queue.join()

elif sys.platform == "darwin":
    from watchdog.observers.fsevents import FSEventsEmitter

    REPORTS_CLOSE = False

    class _Emitter(FSEventsEmitter):
        """The system's stream of events."""

        def __init__(self, *given: Any, notices: Notices, **options: Any) -> None:
            super().__init__(*given, **options)
            self._notices = notices

        def queue_events(self, timeout: float, events: list[Any]) -> None:  # type: ignore[override]
            if any(event.must_scan_subdirs for event in events):
                self._notices.loss = "overflow"
            super().queue_events(timeout, events)

    class _Observer(BaseObserver):
        """Observes by streams of events."""

        def __init__(self, notices: Notices) -> None:
            super().__init__(_Emitter, notices=notices)

else:
    from watchdog.observers import Observer

    REPORTS_CLOSE = False

    class _Observer(Observer):  # type: ignore[misc, valid-type]
        """Observes by what the system has."""

        def __init__(self, _notices: Notices) -> None:
            super().__init__()


class Notifications:
    """A watchdog observer that is asked whether it still observes all."""

    def __init__(self) -> None:
        self._notices = Notices()
        # What it writes for programmers is told by the watch in its own words.
        for name in ("watchdog", "fsevents"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # A folder that is moved away and comes back is watched already, which watchdog takes for a mistake.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        before = set(threading.enumerate())
        self.observer: BaseObserver = _Observer(self._notices)
        self._before = before
        self._threads: list[BaseThread] = []

    def start(self) -> None:
        """Begin to notify. Raises `OSError`, also when the kernel watches only some of the folders."""
        self.observer.start()
        self._threads = [
            thread for thread in threading.enumerate() if isinstance(thread, BaseThread) and thread not in self._before
        ]
        if self._notices.limit is not None:
            raise self._notices.limit

    @property
    def folders(self) -> int | None:
        """How many folders were watched from the start, where that is known."""
        return self._notices.folders

    @property
    def limit(self) -> OSError | None:
        """The kernel's limit that a folder met; None when all are watched."""
        return self._notices.limit

    @property
    def loss(self) -> Loss | None:
        """Why not everything is notified any more; None when it is."""
        if self._notices.limit is not None:
            return "limit"
        if self._notices.loss is not None:
            return self._notices.loss
        if not all(emitter.should_keep_running() for emitter in self.observer.emitters):
            return "replaced"  # the system said so to watchdog, which then stops by itself
        return None if all(thread.is_alive() for thread in self._threads) else "ended"

    def close(self) -> None:
        """End all threads."""
        self.observer.unschedule_all()
        self.observer.stop()
        if self.observer.is_alive():
            self.observer.join(10)
