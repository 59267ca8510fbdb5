"""The trials of a run in its ledger: what is tried, who began it, how each execution and each trial ended.

Oracles are kept version by version: whoever asked one publishes the version that follows the one it read, and of all
who did that at once exactly one succeeds. No lock is held, and a process that dies leaves whole versions.
"""

import os
import socket
from collections.abc import Sequence

from pipeline.clock import now
from pipeline.learning.study.oracle_state import OracleState
from pipeline.learning.study.trials import Execution, PlannedModel, StudyPlan, TrialOutcome, TrialSpec
from pipeline.wire import Value
from storage.documents import Documents


class TrialStart(Value, frozen=True, kw_only=True):
    """One attempt at a trial: who began it, and when."""

    trial: int
    attempt: int
    """1, 2, ..."""
    host: str
    pid: int
    began: str
    """ISO 8601, UTC."""


class _Trials(Value, frozen=True, kw_only=True):
    specs: tuple[TrialSpec, ...]


class TrialLedger:
    """The trials of the runs of one home; what it returns and raises is told at `RunLedger`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def put_study(self, run_id: str, study: StudyPlan) -> bool:
        """Write how many trials the run has and what they try."""
        return self._documents.publish(f"{run_id}/study", study)

    def study(self, run_id: str) -> StudyPlan | None:
        """Return how many trials the run has and what they try, or None when that is not settled."""
        study = self._documents.find(f"{run_id}/study", StudyPlan)
        if study is None and (old := self._documents.find(f"{run_id}/trials", _Trials)) is not None:
            return _study_of(old.specs)
        return study

    def put_oracle(self, run_id: str, model: str, state: OracleState) -> bool:
        """Write the next version of a model's oracle; False when somebody else has written that one."""
        return self._documents.publish(f"{run_id}/oracle/{model}/{state.version:05d}", state)

    def oracle(self, run_id: str, model: str) -> OracleState | None:
        """Return the newest version of a model's oracle, or None when nobody asked it yet."""
        folder = f"{run_id}/oracle/{model}"
        newest = max(self._numbers(folder), default=0)
        # A network share may list a folder as it was some seconds ago; a name it did not list is looked up anew.
        while self._documents.exists(f"{folder}/{newest + 1:05d}"):
            newest += 1
        return self._documents.read(f"{folder}/{newest:05d}", OracleState) if newest else None

    def put_trial(self, spec: TrialSpec) -> bool:
        """Write the configuration of a trial that was handed out."""
        return self._documents.publish(f"{spec.run_id}/trials/{spec.index:04d}", spec)

    def trial(self, run_id: str, index: int) -> TrialSpec | None:
        """Return the configuration of a trial, or None when it was not handed out."""
        spec = self._documents.find(f"{run_id}/trials/{index:04d}", TrialSpec)
        if spec is None and (old := self._documents.find(f"{run_id}/trials", _Trials)) is not None:
            return next((each for each in old.specs if each.index == index), None)
        return spec

    def trials(self, run_id: str) -> tuple[TrialSpec, ...]:
        """Return the configurations that were handed out, by index; those of a study that adapts come one by one."""
        old = self._documents.find(f"{run_id}/trials", _Trials)
        if old is not None:
            return old.specs
        return tuple(self._documents.read(name, TrialSpec) for name in self._documents.names(f"{run_id}/trials"))

    def start_trial(self, run_id: str, index: int) -> int:
        """Note that a trial is begun here and now; return which attempt that is, the first is 1."""
        attempt = 1 + len(self.starts(run_id, index))
        while True:
            start = TrialStart(trial=index, attempt=attempt, host=socket.gethostname(), pid=os.getpid(), began=now())
            if self._documents.publish(f"{run_id}/starts/{index:04d}-{attempt:02d}", start):
                return attempt
            attempt += 1

    def starts(self, run_id: str, index: int) -> list[TrialStart]:
        """Return the attempts at a trial, the first one first."""
        names = [
            n for n in self._documents.names(f"{run_id}/starts") if n.rpartition("/")[2].startswith(f"{index:04d}-")
        ]
        return [self._documents.read(name, TrialStart) for name in names]

    def put_execution(self, run_id: str, execution: Execution) -> bool:
        """Write how an execution of a trial ended."""
        return self._documents.publish(f"{run_id}/executions/{execution.trial:04d}-{execution.number:02d}", execution)

    def executions(self, run_id: str, index: int) -> list[Execution]:
        """Return the executions of a trial that have ended, by number."""
        found = self._documents.names(f"{run_id}/executions")
        names = [name for name in found if name.rpartition("/")[2].startswith(f"{index:04d}-")]
        return [self._documents.read(name, Execution) for name in names]

    def put_outcome(self, outcome: TrialOutcome) -> bool:
        """Write how a trial ended."""
        return self._documents.publish(f"{outcome.spec.run_id}/outcomes/{outcome.spec.index:04d}", outcome)

    def outcome(self, run_id: str, index: int) -> TrialOutcome | None:
        """Return how a trial ended, or None when it has not."""
        return self._documents.find(f"{run_id}/outcomes/{index:04d}", TrialOutcome)

    def outcomes(self, run_id: str) -> list[TrialOutcome]:
        """Return how the trials that have ended did, by index."""
        names = self._documents.names(f"{run_id}/outcomes")
        found = [self._documents.read(name, TrialOutcome) for name in names]
        return sorted(found, key=lambda outcome: outcome.spec.index)

    def ended_trials(self, run_id: str) -> list[int]:
        """Return the indices of the trials that have ended, ascending, without reading their outcomes."""
        return self._numbers(f"{run_id}/outcomes")

    def _numbers(self, folder: str) -> list[int]:
        return sorted(int(name.rpartition("/")[2]) for name in self._documents.names(folder))


def _study_of(specs: Sequence[TrialSpec]) -> StudyPlan:
    """Return the study that a run of before there were oracles had: all its trials were drawn at random, at once."""
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
