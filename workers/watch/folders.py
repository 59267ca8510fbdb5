"""Changes below some folders: by the kernel's notifications, or by polling where there are none.

The kernel notifies of nothing that other hosts do on a network share, and of no more than a number of folders; then, or
when that is wanted, the folders are walked every few seconds instead.
"""

import errno
import os
import queue
import tempfile
from collections.abc import Sequence
from typing import Literal

import psutil
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
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value

POLL_S = 10.0
"""Seconds between two walks, where the kernel does not notify."""

REMOTE = frozenset({"9p", "afpfs", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "nfs", "nfs4", "smb3", "smbfs"})
"""File systems of which the kernel notifies only of what this host does."""

LIMITS = {errno.ENOSPC: "max_user_watches", errno.EMFILE: "max_user_instances"}
"""The kernel's limits on notifications, by the error of whoever reaches one."""

Kind = Literal["written", "closed", "created", "deleted", "moved", "folder"]
_EVENTS: list[type[FileSystemEvent]] = [
    # Not that a file was opened and read: the workers do that all the time.
    *(FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirMovedEvent),
]
_KINDS: dict[str, Kind] = {"created": "created", "modified": "written", "closed": "closed", "deleted": "deleted"}


class FileChange(Value, frozen=True, kw_only=True):
    """A change of a file, or a folder that came as a whole.

    A file that is renamed within the folders is `moved` under its old name and `created` under the new one; one that
    is moved out of them is `deleted`. One is `closed` after it was `written`.
    """

    kind: Kind
    path: str


class FolderObserver(FileSystemEventHandler):
    """Observes folders and all below them; holds threads from `open` to `close`."""

    def __init__(self, folders: Sequence[str], *, poll_s: float | None = None) -> None:
        self._folders = folders
        self._poll_s = poll_s
        self._changes: queue.SimpleQueue[FileChange] = queue.SimpleQueue()
        self._observer: BaseObserver | None = None
        self.reports_close = False
        """Whether it reports when a writer closes a file."""

    def open(self) -> str:
        """Begin to observe, and return in words how. Raises `UsageError` for a folder that cannot be observed."""
        remote = next((folder for folder in self._folders if _file_system(folder) in REMOTE), None)
        if self._poll_s is None and remote is None:
            try:
                how = self._open(Observer(), "as the kernel tells")
                self._check_room()
            except OSError as error:
                self.close()
                limit = LIMITS.get(error.errno or 0)
                if limit is None:
                    raise UsageError(f"cannot watch the libraries: {error}; try again with --poll SECONDS") from error
                why = f"the kernel watches no more folders; raise fs.inotify.{limit} with sysctl"
            else:
                return how
        elif remote is not None and self._poll_s is None:
            why = (
                f"{printable(remote)} is on {_file_system(remote)}, where the kernel does not tell what other hosts do"
            )
        else:
            why = "as asked"
        poll_s = self._poll_s or POLL_S
        return self._open(PollingObserver(timeout=poll_s), f"by looking every {poll_s:g} s ({why})")

    def check_new_folders(self) -> str | None:
        """Make sure that folders which came are observed too; if not, poll instead, and return in words how."""
        if not self.reports_close:
            return None
        try:
            self._check_room()
        except OSError:
            self.close()
            return self.open()
        return None

    def _check_room(self) -> None:
        """Observe one more folder for a moment: watchdog passes over those of which the kernel notifies no more.

        Raises `OSError`.
        """
        if not self.reports_close:
            return
        with tempfile.TemporaryDirectory(prefix="chordal-") as folder:
            one_more = Observer()
            one_more.schedule(FileSystemEventHandler(), folder)
            try:
                one_more.start()
            finally:
                _end(one_more)

    def _open(self, observer: BaseObserver, how: str) -> str:
        self.reports_close = "Inotify" in type(observer).__name__
        try:
            for folder in self._folders:
                observer.schedule(self, folder, recursive=True, event_filter=_EVENTS)
            observer.start()
        except BaseException:
            _end(observer)
            raise
        self._observer = observer
        return how

    def close(self) -> None:
        """Observe no more."""
        if self._observer is not None:
            _end(self._observer)
            self._observer = None

    def changes(self) -> list[FileChange]:
        """Return the changes since the last call, oldest first."""
        changes = []
        while True:
            try:
                changes.append(self._changes.get_nowait())
            except queue.Empty:
                return changes

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note an event; called in the observer's thread."""
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        if isinstance(event, FileSystemMovedEvent):
            if not event.is_directory:
                self._changes.put(FileChange(kind="moved" if target else "deleted", path=source))
            if target:
                self._changes.put(FileChange(kind="folder" if event.is_directory else "created", path=target))
        elif event.is_directory:
            if event.event_type == "created":
                self._changes.put(FileChange(kind="folder", path=source))
        elif event.event_type in _KINDS:
            self._changes.put(FileChange(kind=_KINDS[event.event_type], path=source))


def _end(observer: BaseObserver) -> None:
    observer.unschedule_all()
    if observer.is_alive():
        observer.stop()
        observer.join(10)


def _file_system(folder: str) -> str:
    """Return the kind of file system that a folder is on, or an empty string when that is not known."""
    real = os.path.realpath(folder)
    best = ("", "")
    for part in psutil.disk_partitions(all=True):
        mount = part.mountpoint.rstrip("/")
        if (real == mount or real.startswith(f"{mount}/")) and len(mount) >= len(best[0]):
            best = (mount, part.fstype)
    return best[1]
