"""The trials of a run in its ledger: configurations, attempts, executions, outcomes, and the state of the search.

The state of an oracle is stored version by version: a process that changed it publishes the version after the one it
read, and of several that do so at once exactly one succeeds. No lock is held, and a process that dies leaves only
whole versions.
"""

import os
import socket
from collections.abc import Sequence

from pipeline.clock import now
from pipeline.learning.study.oracle_state import OracleState
from pipeline.learning.study.trials import Execution, PlannedModel, StudyPlan, TrialOutcome, TrialSpec
from pipeline.wire import Value
from storage.ledger.document_ledger import DocumentLedger


class TrialStart(Value, frozen=True, kw_only=True):
    """One attempt at a trial: the process that began it, and when."""

    trial: int
    attempt: int
    """1, 2, ..."""
    host: str
    pid: int
    began: str
    """ISO 8601, UTC."""


class TrialList(Value, frozen=True, kw_only=True):
    """The content of `trials.json`, which runs of versions without oracles have."""

    specs: tuple[TrialSpec, ...]


class TrialLedger(DocumentLedger):
    """The trials of the runs of one home; returns and raises as `RunLedger` does."""

    def put_study(self, run_id: str, study: StudyPlan) -> bool:
        """Write how many trials the run has and what they try."""
        return self._documents.publish(f"{run_id}/study", study)

    def study(self, run_id: str) -> StudyPlan | None:
        """Return how many trials the run has and what they try, or None before it is written."""
        study = self._documents.find(f"{run_id}/study", StudyPlan)
        if study is None and (old := self._documents.find(f"{run_id}/trials", TrialList)) is not None:
            return _study_of(old.specs)
        return study

    def put_oracle(self, run_id: str, model: str, state: OracleState) -> bool:
        """Write the next version of a model's oracle; False when another process has written that version."""
        return self._documents.publish(f"{run_id}/oracle/{model}/{state.version:05d}", state)

    def oracle(self, run_id: str, model: str) -> OracleState | None:
        """Return the newest version of a model's oracle, or None before the first."""
        folder = f"{run_id}/oracle/{model}"
        newest = max(self._numbers(folder), default=0)
        # A network share may list a folder as it was some seconds ago, but looks a single name up anew.
        while self._documents.exists(f"{folder}/{newest + 1:05d}"):
            newest += 1
        return self._documents.read(f"{folder}/{newest:05d}", OracleState) if newest else None

    def put_trial(self, spec: TrialSpec) -> bool:
        """Write the configuration of a trial that the oracle proposed."""
        return self._documents.publish(f"{spec.run_id}/trials/{spec.index:04d}", spec)

    def trial(self, run_id: str, index: int) -> TrialSpec | None:
        """Return the configuration of a trial, or None before it was proposed."""
        spec = self._documents.find(f"{run_id}/trials/{index:04d}", TrialSpec)
        if spec is None and (old := self._documents.find(f"{run_id}/trials", TrialList)) is not None:
            return next((each for each in old.specs if each.index == index), None)
        return spec

    def trials(self, run_id: str) -> tuple[TrialSpec, ...]:
        """Return the configurations proposed so far, by index."""
        old = self._documents.find(f"{run_id}/trials", TrialList)
        if old is not None:
            return old.specs
        return tuple(self._documents.read(name, TrialSpec) for name in self._documents.names(f"{run_id}/trials"))

    def start_trial(self, run_id: str, index: int) -> int:
        """Write that this process begins a trial now; return the number of the attempt, from 1."""
        attempt = 1 + len(self.starts(run_id, index))
        while True:
            start = TrialStart(trial=index, attempt=attempt, host=socket.gethostname(), pid=os.getpid(), began=now())
            if self._documents.publish(f"{run_id}/starts/{index:04d}-{attempt:02d}", start):
                return attempt
            attempt += 1

    def starts(self, run_id: str, index: int) -> list[TrialStart]:
        """Return the attempts at a trial, by number."""
        return [self._documents.read(name, TrialStart) for name in self._names_of(f"{run_id}/starts", index)]

    def put_execution(self, run_id: str, execution: Execution) -> bool:
        """Write the result of an execution of a trial."""
        return self._documents.publish(f"{run_id}/executions/{execution.trial:04d}-{execution.number:02d}", execution)

    def executions(self, run_id: str, index: int) -> list[Execution]:
        """Return the executions of a trial that have ended, by number."""
        return [self._documents.read(name, Execution) for name in self._names_of(f"{run_id}/executions", index)]

    def put_outcome(self, outcome: TrialOutcome) -> bool:
        """Write the outcome of a trial."""
        return self._documents.publish(f"{outcome.spec.run_id}/outcomes/{outcome.spec.index:04d}", outcome)

    def outcome(self, run_id: str, index: int) -> TrialOutcome | None:
        """Return the outcome of a trial, or None before it has ended."""
        return self._documents.find(f"{run_id}/outcomes/{index:04d}", TrialOutcome)

    def outcomes(self, run_id: str) -> list[TrialOutcome]:
        """Return the outcomes of the trials that have ended, by index."""
        names = self._documents.names(f"{run_id}/outcomes")
        outcomes = [self._documents.read(name, TrialOutcome) for name in names]
        return sorted(outcomes, key=lambda outcome: outcome.spec.index)

    def ended_trials(self, run_id: str) -> list[int]:
        """Return the indices of the trials that have ended, ascending, without reading their outcomes."""
        return self._numbers(f"{run_id}/outcomes")

    def _names_of(self, folder: str, index: int) -> list[str]:
        """Return the sorted names of the documents of one trial in a folder, whose names begin with its index."""
        names = self._documents.names(folder)
        return [name for name in names if name.rpartition("/")[2].startswith(f"{index:04d}-")]


def _study_of(specs: Sequence[TrialSpec]) -> StudyPlan:
    """Return the study of a run of a version without oracles, which drew all trials at random, at once."""
    models = list(dict.fromkeys((spec.family, spec.features) for spec in specs))
    return StudyPlan(
        strategy="random",
        models=tuple(
            PlannedModel(
                name=f"{place:02d}-{family}",
                family=family,
                features=features,
                oracle="random",
                trials=tuple(spec.index for spec in specs if (spec.family, spec.features) == (family, features)),
            )
            for place, (family, features) in enumerate(models)
        ),
    )
