"""What a watch tells of while it goes on: updates that keep failing, new champions, libraries that are away."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from pipeline.text import describe_duration, printable
from storage.home import Home
from workers.notices.delivery import deliver_all
from workers.notices.notice import Notice, new_notice, split_mend
from workers.notices.targets import Target
from workers.runs.run_notice import champion_notice, failed_notice

log = logging.getLogger(__name__)

FAILING_S = 300.0
"""How long updates fail before that is told."""
AWAY_S = 600.0
"""How long a library is away before that is told."""
LOOK_S = 10.0
"""Seconds between two looks for such a library."""


class WatchNotices:
    """Tells of a watch, in threads of its own: the watch waits for nobody."""

    def __init__(self, home: Home, targets: Sequence[Target], missing: Callable[[], Mapping[str, str]]) -> None:
        """Tell the targets; `missing` returns what is not there of the libraries, with the reason."""
        self._home = home
        self._targets = targets
        self._missing = missing
        self._failing_s: float | None = None
        self._failed_s = 0.0
        self._is_told = False
        if targets:
            threading.Thread(target=self._look, name="libraries", daemon=True).start()

    def failed(self, reason: str) -> None:
        """Note that an update failed, and tell it when that has gone on for long."""
        now_s = time.monotonic()
        if self._failing_s is None or now_s - self._failed_s > FAILING_S:
            self._failing_s = now_s
        self._failed_s = now_s
        if not self._is_told and now_s - self._failing_s >= FAILING_S:
            self._is_told = True
            what, mend = split_mend(reason)
            self._tell(failed_notice(self._home, None, "watch", reason=what, mend=mend))

    def succeeded(self) -> None:
        """Note that an update did not fail, and tell it when it was told that they do."""
        if self._is_told:
            self._tell(self._notice("recovered", "the watch extracts again"))
        self._failing_s, self._is_told = None, False

    def learned(self, run_id: str) -> None:
        """Tell of a run that made a new champion."""
        if self._targets and (notice := champion_notice(self._home, run_id, "watch")) is not None:
            self._tell(notice)

    def _look(self) -> None:
        """Tell for ever of libraries that have not been there for long, and of those that are back."""
        since_s: dict[str, float] = {}
        announced: set[str] = set()
        pause = threading.Event()
        while not pause.wait(LOOK_S):
            now_s, missing = time.monotonic(), self._missing()
            since_s = {path: since_s.get(path, now_s) for path in missing}
            for path in announced - missing.keys():
                announced.discard(path)
                self._tell(self._notice("recovered", f"the library {printable(path)} is back", path))
            for path, away_s in {path: now_s - began_s for path, began_s in since_s.items()}.items():
                if away_s >= AWAY_S and path not in announced:
                    announced.add(path)
                    words = f"has been away for {describe_duration(away_s)}: {printable(missing[path])}"
                    self._tell(self._notice("root_away", f"the library {printable(path)} {words}", path))

    def _notice(self, event: str, text: str, library: str = "") -> Notice:
        titles = {"root_away": "chordal: a library is away", "recovered": "chordal: the watch is well again"}
        return new_notice(
            event=event,
            title=titles[event],
            text=text,
            work="watch",
            home=printable(str(self._home.path)),
            reason=text if event == "root_away" else "",
            mend=f"mount {printable(library)} again" if event == "root_away" else "",
        )

    def _tell(self, notice: Notice) -> None:
        if self._targets:
            threading.Thread(target=self._deliver, args=(notice,), name="notice", daemon=True).start()

    def _deliver(self, notice: Notice) -> None:
        for delivery in deliver_all(self._targets, notice):
            if delivery.state == "failed":
                log.warning("notice of %s to %s failed: %s", delivery.event, delivery.target, delivery.reason)
