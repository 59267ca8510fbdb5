"""Changes below a folder: by the kernel's notifications, or by walking it every few seconds where they do not do.

The kernel notifies of nothing that other hosts do on a network share, and of no more than a number of folders; then, or
when that is wanted, the folder is walked instead.
"""

import errno
import os
import queue

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
    FileSystemMovedEvent,
)

from pipeline.plans.scan_rules import DEFAULT, ScanRules
from workers.watch import file_systems
from workers.watch.changes import FileChange, Kind
from workers.watch.notifications import LIMITS, REPORTS_CLOSE, Loss, Notifications
from workers.watch.poll_observer import FolderPoll

POLL_S = 10.0
"""Seconds between two walks, where the kernel does not notify."""

_EVENTS: list[type[FileSystemEvent]] = [
    # Not that a file was opened and read: the workers do that all the time.
    *(FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirMovedEvent),
]
_KINDS: dict[str, Kind] = {
    "created": "created",
    # Where nobody says when it is closed, it is not known to be open.
    "modified": "written" if REPORTS_CLOSE else "created",
    "closed": "closed",
    "deleted": "deleted",
}


class FolderObserver(FileSystemEventHandler):
    """Observes a folder and all below it; holds threads from `open` to `close`."""

    def __init__(self, folder: str, *, poll_s: float | None = None, rules: ScanRules = DEFAULT) -> None:
        self._folder = folder
        self._rules = rules
        self._real = folder
        self._poll_s = poll_s
        self._changes: queue.SimpleQueue[FileChange] = queue.SimpleQueue()
        self._notifications: Notifications | None = None
        self._poll: FolderPoll | None = None
        self._exchanged = False

    def open(self) -> str:
        """Begin to observe what has this name now, and return in words how. Raises `OSError`.

        What comes from now on is a change; for what is there already, a change says that a walk is due.
        """
        self._exchanged = False
        self._changes = queue.SimpleQueue()  # whatever still writes to the last one is about what was there before
        # A link is not watched but where it leads to, and the system reports real paths.
        self._real = os.path.realpath(self._folder)
        if self._poll_s is not None:
            return self._open_poll("as asked")
        mount = file_systems.silent_mount(self._folder)
        if mount is not None:
            return self._open_poll(file_systems.describe_silence(mount))
        try:
            return self._open_notifications()
        except OSError as error:
            self.close()
            if error.errno not in LIMITS:
                raise
            return self._open_poll(f"the kernel watches no more folders; {_limit_mend(error)}")

    @property
    def folders(self) -> int | None:
        """How many folders the kernel notifies of; None where that is not known."""
        return self._notifications.folders if self._notifications is not None else None

    @property
    def loss(self) -> Loss | None:
        """Why it does not observe everything any more; None while it does."""
        if self._exchanged:
            return "exchanged"
        if self._notifications is not None:
            return self._notifications.loss
        return "ended" if self._poll is not None and not self._poll.is_alive() else None

    def close(self) -> None:
        """Observe no more."""
        if self._poll is not None:
            self._poll.stop()  # not waited for: it may be waiting for a server that is dead
            self._poll = None
        if self._notifications is not None:
            self._notifications.close()
            self._notifications = None

    def changes(self) -> list[FileChange]:
        """Return the changes since the last call, oldest first."""
        changes = []
        while True:
            try:
                changes.append(self._changes.get_nowait())
            except queue.Empty:
                return changes

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note an event; called in a thread of watchdog."""
        source, target = self._path(event.src_path), self._path(event.dest_path)
        if isinstance(event, FileSystemMovedEvent):
            if event.is_directory and os.path.isdir(source):  # noqa: PTH112 - keeps odd bytes
                # Two folders changed their names, and watchdog takes one for the other.
                self._exchanged = True
            if not event.is_directory:
                self._changes.put(FileChange(kind="moved" if target else "deleted", path=source))
            if target:
                self._changes.put(FileChange(kind="folder" if event.is_directory else "created", path=target))
        elif event.is_directory:
            if event.event_type == "created":
                self._changes.put(FileChange(kind="folder", path=source))
        elif event.event_type in _KINDS:
            self._changes.put(FileChange(kind=_KINDS[event.event_type], path=source))

    def _open_notifications(self) -> str:
        self._notifications = Notifications()
        self._notifications.observer.schedule(self, self._real, recursive=True, event_filter=_EVENTS)
        self._notifications.start()
        self._changes.put(FileChange(kind="walk", path=self._folder))
        return "as the kernel tells"

    def _open_poll(self, why: str) -> str:
        poll_s = self._poll_s or POLL_S
        self._poll = FolderPoll(self._folder, poll_s, self._changes.put, rules=self._rules)
        self._poll.start()
        return f"by looking every {poll_s:g} s ({why})"

    def _path(self, path: bytes | str) -> str:
        """Return the path below the folder as it was named."""
        text = os.fsdecode(path)
        if self._real != self._folder and (text == self._real or text.startswith(f"{self._real}/")):
            return self._folder + text[len(self._real) :]
        return text


def _limit_mend(error: OSError) -> str:
    """Return what to do about a limit: the system's, or that of this process, which has the same number."""
    if error.errno == errno.EMFILE:
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return "raise `ulimit -n`"
    return f"raise {LIMITS[error.errno or 0]} with sysctl"
