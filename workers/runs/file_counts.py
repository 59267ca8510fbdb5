"""How many of a run's files are settled, of how many, and what became of them: one count for all that show it.

Of a sealed shard the ledger knows it. Of the others the broker counts as they go, and may lose what it counted: then,
or without a broker, the count is a least one.
"""

from collections.abc import Mapping

from pipeline.wire import Value
from storage import RunLedger
from workers.broker.counters import OUTCOMES
from workers.runs.state import RunState


class FileCounts(Value, frozen=True, kw_only=True):
    """What became of a run's files so far."""

    outcomes: dict[str, int]
    """How many were extracted, were there already or failed; of a run that extracts nothing also how many are
    missing."""
    of: int
    """How many files the scan found, so far."""
    at_least: bool = False
    """Whether there may be more that nobody has counted."""

    @property
    def settled(self) -> int:
        """How many files there is nothing more to do for."""
        return sum(self.outcomes.get(name, 0) for name in OUTCOMES)


class SealedFiles:
    """What became of the files in the sealed shards of a run; each shard is read once."""

    def __init__(self, ledger: RunLedger, run_id: str) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._known: dict[int, dict[str, int]] = {}

    def outcomes(self, sealed: frozenset[int]) -> dict[str, int]:
        """Return the outcomes of the files in some shards, all of them sealed. Raises `StoreError`."""
        for shard in sealed - self._known.keys():
            summary = self._ledger.summary(self._run_id, shard)
            self._known[shard] = {name: getattr(summary, name) for name in OUTCOMES}
        return {name: sum(self._known[shard][name] for shard in sealed) for name in OUTCOMES}


def count_files(
    state: RunState, progress: Mapping[str, float] | None, *, of: int | None = None, sealed: SealedFiles | None = None
) -> FileCounts:
    """Return what became of the files of a run, by its ledger and by its progress counts in the broker.

    `progress` is None where no broker can be asked. Who counts again and again gives the number of files, `of`, and
    the `sealed` files as far as they are known. Raises `StoreError`.
    """
    of = state.files if of is None else of
    if not state.plan.extract:
        return FileCounts(outcomes=state.tracks, of=of)
    outcomes = state.tracks if sealed is None else sealed.outcomes(state.sealed)
    if state.all_sealed:
        return FileCounts(outcomes=outcomes, of=of)
    counted = {name: int((progress or {}).get(name, 0)) for name in OUTCOMES}
    if sum(counted.values()) < sum(outcomes.values()) or progress is None:
        return FileCounts(outcomes=outcomes, of=of, at_least=True)
    return FileCounts(outcomes=_within(counted, of), of=of)


def _within(outcomes: dict[str, int], of: int) -> dict[str, int]:
    """Return outcomes of no more than all files: a task that was delivered twice may have been counted twice."""
    for name in reversed(OUTCOMES[:-1]):
        over = max(0, sum(outcomes.values()) - of)
        outcomes = {**outcomes, name: max(0, outcomes[name] - over)}
    return outcomes
