"""What the home says beside its runs: nights, the champion, the processes of its service, its disk."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

from pipeline.versions import own_version
from storage.home import Home
from workers.runs.active import active_runs
from workers.schedule.cron import night_due, slot_after
from workers.schedule.nights import NightResult, Nights
from workers.service import state as service_state
from workers.service.figures import Figure, Samples

STATES = ("finished", "failed", "skipped")
"""How a night may end."""

LOOKED_BACK = 60
"""How many nights are looked through for one that finished."""


class HomeFigures:
    """The figures of a home that need no broker."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._nights = Nights(home.path)

    def all(self) -> list[Figure]:
        """Return each figure, unread."""
        return [
            ("nights", "schedule", self._schedule),
            ("nights", "last_night", self._last_night),
            ("champion", "champion", self._champion),
            ("home", "info", self._info),
            ("home", "service", self._service),
            ("home", "disk", self._disk),
        ]

    def _schedule(self) -> Iterator[tuple[str, Samples]]:
        schedule, now = self._nights.schedule(), datetime.now(UTC)
        yield "nightly_running", [({}, self._is_running())]
        if schedule is None or schedule.nightly is None:
            yield "nightly_scheduled", [({}, 0)]
            return
        yield "nightly_scheduled", [({}, 1)]
        following = slot_after(schedule.nightly, schedule.timezone, now)
        yield "nightly_next_timestamp_seconds", [({}, following.timestamp())]
        due = night_due(schedule, self._nights.last_settled(now), now)
        yield "nightly_overdue_seconds", [({}, 0.0 if due is None else (now - due.slot).total_seconds())]

    def _is_running(self) -> bool:
        slot = self._nights.unsettled(datetime.now(UTC))
        attempts = [] if slot is None else self._nights.attempts(slot)
        return bool(attempts) and attempts[-1].run_id in {each.run_id for each in active_runs(self._home)}

    def _last_night(self) -> Iterator[tuple[str, Samples]]:
        results = self._nights.results(last=LOOKED_BACK, now=datetime.now(UTC))
        if not results:
            return
        yield "nightly_last_outcome", [({"state": state}, results[0].state == state) for state in STATES]
        if (success := next((each for each in results if each.state == "finished"), None)) is not None:
            yield "nightly_last_success_timestamp_seconds", [({}, _timestamp(success.ended))]
        if (last := next((each for each in results if each.state != "skipped"), None)) is not None:
            yield from _describe(last)

    def _champion(self) -> Iterator[tuple[str, Samples]]:
        """Tell the champion; an entry never changes, and only the newest is read."""
        champion = self._home.champions.current()
        if champion is None:
            return
        yield "champion_info", [({"version": champion.version, "action": champion.action}, 1)]
        yield "champion_since_timestamp_seconds", [({}, _timestamp(champion.at))]
        yield "champion_changes", [({}, champion.number)]

    def _info(self) -> Iterator[tuple[str, Samples]]:
        yield "info", [({"version": own_version()}, 1)]

    def _service(self) -> Iterator[tuple[str, Samples]]:
        """Tell which processes of the service live; of one on another host nothing can be told."""
        service = service_state.load(self._home.path)
        if service is None or not service.is_local:
            return
        processes = {"service": service.process, **service.children}
        yield "service_process_up", [({"name": n}, each.find() is not None) for n, each in processes.items()]
        yield "service_process_start_time_seconds", [({"name": n}, each.began) for n, each in processes.items()]

    def _disk(self) -> Iterator[tuple[str, Samples]]:
        disk = os.statvfs(self._home.path)
        yield "home_free_bytes", [({}, disk.f_bavail * disk.f_frsize)]
        yield "home_size_bytes", [({}, disk.f_blocks * disk.f_frsize)]
        if disk.f_files:  # some file systems make room for files as they come
            yield "home_free_files", [({}, disk.f_favail)]
            yield "home_size_files", [({}, disk.f_files)]


def _describe(night: NightResult) -> Iterator[tuple[str, Samples]]:
    """Return the figures of a night that was carried out."""
    yield "nightly_last_timestamp_seconds", [({}, _timestamp(night.ended))]
    yield "nightly_last_success", [({}, night.state == "finished")]
    if night.started is not None:
        yield "nightly_last_duration_seconds", [({}, _timestamp(night.ended) - _timestamp(night.started))]
    if night.verdict:
        yield "nightly_last_promoted", [({}, night.verdict == "promoted")]
    if night.test_accuracy is not None:
        yield "nightly_last_test_accuracy", [({}, night.test_accuracy)]


def _timestamp(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
