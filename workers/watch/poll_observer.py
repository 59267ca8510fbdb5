"""Changes below a folder, found by walking it every few seconds: for where the kernel does not tell of all of them."""

import os
import threading
from collections.abc import Callable, Iterator

from pipeline.errors import ChordalError
from pipeline.library.scan import scan
from pipeline.library.tracks import FileStamp
from pipeline.plans.scan_rules import DEFAULT, ScanRules
from workers.watch.changes import FileChange

Report = Callable[[FileChange], None]
"""Notes a change; called in the walking thread."""

Files = dict[str, FileStamp]


class FolderPoll(threading.Thread):
    """Walks a folder as a run does, again and again, from `start` to `stop`.

    It first reports that a `walk` is due: by then it knows what is there, and what comes later is a change to it.
    """

    def __init__(self, folder: str, poll_s: float, report: Report, *, rules: ScanRules = DEFAULT) -> None:
        super().__init__(name=f"poll {folder}", daemon=True)  # a server that is dead holds it for ever
        self._folder = folder
        # Without the patterns, by which the watch itself goes: a file that was scanned may be excluded now and go.
        self._rules = rules.replace(exclude=())
        self._poll_s = poll_s
        self._report = report
        self._stopped = threading.Event()

    def run(self) -> None:
        """Walk until stopped."""
        known = self._walk()
        while known is None and not self._stopped.wait(self._poll_s):
            known = self._walk()
        if known is None:
            return
        self._report(FileChange(kind="walk", path=self._folder))
        while not self._stopped.wait(self._poll_s):
            found = self._walk(known)
            if found is None or self._stopped.is_set():
                continue
            for change in changes_between(known, found):
                self._report(change)
            known = found

    def stop(self) -> None:
        """Walk no more."""
        self._stopped.set()

    def _walk(self, known: Files | None = None) -> Files | None:
        """Return the files that are there, and those known of where nobody can look; None when that is everywhere."""
        unreadable: set[str] = set()
        found: Files = {}
        try:
            for track in scan(
                [self._folder],
                rules=self._rules,
                on_problem=lambda path, _reason: unreadable.add(path),
                may_be_empty=True,
            ):
                if self._stopped.is_set():
                    return None
                found[track.file_path] = track.stamp  # which an edit of its cue sheet changes as well
        except ChordalError:
            return None
        if unreadable and known is not None:
            found |= {path: stamp for path, stamp in known.items() if path not in found and _is_in(path, unreadable)}
        return found


def changes_between(known: Files, found: Files) -> Iterator[FileChange]:
    """Yield what changed from one walk to the next; a file that is gone is `moved` when one like it is new."""
    new = {path: stamp for path, stamp in found.items() if path not in known or not known[path].matches(stamp)}
    # Without ctime, which a rename changes.
    moved = {(stamp.size_bytes, stamp.mtime_ns) for path, stamp in new.items() if path not in known}
    for path, stamp in known.items():
        if path not in found:
            yield FileChange(kind="moved" if (stamp.size_bytes, stamp.mtime_ns) in moved else "deleted", path=path)
    for path in new:
        yield FileChange(kind="created", path=path)


def _is_in(path: str, folders: set[str]) -> bool:
    while path not in folders:
        parent = os.path.dirname(path)  # noqa: PTH120 - paths with odd bytes
        if parent == path:
            return False
        path = parent
    return True
