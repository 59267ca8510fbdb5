"""How far runs are: the newest one, and all whose command lives."""

from collections import Counter
from collections.abc import Iterator

from pipeline.errors import ChordalError
from storage.home import Home
from workers.broker.counters import Counters, Pace
from workers.broker.health import BROKER_ERRORS
from workers.runs.active import active_runs
from workers.runs.file_counts import FileCounts, SealedFiles, count_files
from workers.runs.state import ENDS, RunState
from workers.service.figures import Figure, Samples


class RunFigures:
    """The figures of runs. What never changes is read once: sealed shards, ended trials, how many files there are."""

    def __init__(self, home: Home, counters: Counters) -> None:
        self._home = home
        self._counters = counters
        self._outcomes: dict[tuple[str, int], str] = {}
        self._sealed: dict[str, SealedFiles] = {}
        self._files: dict[str, int] = {}

    def all(self) -> list[Figure]:
        """Return each figure, unread."""
        return [
            ("ledger", "runs", self._newest),
            ("ledger", "run_trials", self._trials),
            ("ledger", "run_progress", self._progress),
        ]

    def _newest(self) -> Iterator[tuple[str, Samples]]:
        runs = self._home.ledger.run_ids()
        yield "runs", [({}, len(runs))]
        if not runs:
            return
        state = RunState.read(self._home, runs[-1])
        yield "run_info", [({"run": runs[-1], "recipe": state.plan.recipe.name, "stage": state.stage}, 1)]
        sealed = len(state.sealed)
        yield "run_shards", [({"state": "sealed"}, sealed), ({"state": "open"}, state.shards_written - sealed)]

    def _trials(self) -> Iterator[tuple[str, Samples]]:
        runs = self._home.ledger.run_ids()
        if not runs:
            return
        state = RunState.read(self._home, runs[-1])
        states = Counter(self._outcome(runs[-1], index) for index in state.ended_trials)
        counts = {
            **{name: states[name] for name in ("completed", "failed", "skipped")},
            "open": len(state.trials or ()) - states.total(),
        }
        yield "run_trials", [({"state": name}, n) for name, n in counts.items()]

    def _outcome(self, run_id: str, index: int) -> str:
        """Return how a trial ended."""
        known = self._outcomes.get((run_id, index))
        if known is None:
            outcome = self._home.ledger.outcome(run_id, index)
            known = self._outcomes[run_id, index] = "open" if outcome is None else outcome.state
        return known

    def _progress(self) -> Iterator[tuple[str, Samples]]:
        active = [each.run_id for each in active_runs(self._home)]
        errors: list[Exception] = []
        for run_id in self._shown(active, errors):
            try:
                yield from self._progress_of(run_id, is_active=run_id in active)
            except (ChordalError, OSError) as error:
                errors.append(error)
        if errors:
            raise errors[0]  # of one run; those of the others are there

    def _shown(self, active: list[str], errors: list[Exception]) -> list[str]:
        """Return the active runs and the newest one; forget what is known of others."""
        try:
            newest = self._home.ledger.run_ids()[-1:]
        except (ChordalError, OSError) as error:
            errors.append(error)
            newest = []
        shown = list(dict.fromkeys([*active, *newest]))
        self._sealed = {run_id: known for run_id, known in self._sealed.items() if run_id in shown}
        self._files = {run_id: files for run_id, files in self._files.items() if run_id in shown}
        return shown

    def _progress_of(self, run_id: str, *, is_active: bool) -> Iterator[tuple[str, Samples]]:
        labels, state = {"run": run_id}, RunState.read(self._home, run_id)
        yield "run_active", [(labels, is_active)]
        yield "run_stage", [({**labels, "stage": state.stage}, 1)]
        yield from self._files_of(state, labels)
        yield "run_trials_planned", [(labels, len(state.trials or ()))]
        yield "run_trials_ended", [(labels, len(state.ended_trials))]

    def _files_of(self, state: RunState, labels: dict[str, str]) -> Iterator[tuple[str, Samples]]:
        run_id = state.plan.run_id
        files = self._files.get(run_id, -1)
        if files < 0:
            files = state.files
            if state.shards is not None:
                self._files[run_id] = files
        yield "run_files", [(labels, files)]
        if not state.plan.extract:
            return
        counts, pace = self._counts(state, files)
        yield "run_files_settled", [({**labels, "outcome": name}, n) for name, n in counts.outcomes.items()]
        if files:
            yield "run_settled_ratio", [(labels, min(1.0, counts.settled / files))]
        if counts.settled:
            yield "run_failed_ratio", [(labels, counts.outcomes["failed"] / counts.settled)]
        if pace is None or state.stage in ENDS:
            return
        yield "run_files_per_second", [(labels, pace.files_per_s)]
        left = max(0, files - counts.settled)
        if state.shards is not None and (left == 0 or pace.files_per_s > 0):
            yield "run_remaining_seconds", [(labels, left / pace.files_per_s if left else 0.0)]

    def _counts(self, state: RunState, files: int) -> tuple[FileCounts, Pace | None]:
        """Return what became of the files so far, and how fast that goes; None where the broker does not say it."""
        run_id = state.plan.run_id
        sealed = self._sealed.setdefault(run_id, SealedFiles(self._home.ledger, run_id))
        if state.all_sealed:
            return count_files(state, None, of=files, sealed=sealed), Pace()
        try:
            progress, pace = self._counters.progress(run_id), self._counters.pace(run_id)
        except BROKER_ERRORS:
            return count_files(state, None, of=files, sealed=sealed), None
        return count_files(state, progress, of=files, sealed=sealed), pace
