"""The runs of a home: immutable documents below `runs/`, from which a run's plan and progress are read.

    runs/<run_id>/plan.json             what the run is to do
    runs/<run_id>/shards/00000.json     the tracks of each shard, written during the scan
    runs/<run_id>/scan.json             how many shards there are, written when the scan has ended
    runs/<run_id>/sealed/00000.json     the summary of each shard whose files are all settled
    runs/<run_id>/claims/<name>.json    the process that took a step which must be taken once
    runs/<run_id>/dataset.json, split.json, report.json, failure.json
    runs/<run_id>/study.json            how many trials there are, and the model of each
    runs/<run_id>/oracle/<model>/00001.json  the state of a model's search, version by version
    runs/<run_id>/trials/0000.json      the configuration of each trial that was proposed
    runs/<run_id>/starts/0000-01.json   each attempt at a trial: when, and by which process
    runs/<run_id>/executions/0000-00.json    the result of each execution of a trial
    runs/<run_id>/outcomes/0000.json    the outcome of each trial
    runs/<run_id>/measured.json         the measurements of the recipe's outputs; outputs/ has their files
    runs/<run_id>/tracked.json          the MLflow run that the run was sent to
    runs/<run_id>/labels.npz            a cache of the tracks' labels; see `features.labels`
    runs/<run_id>/logs/                 the logs of processes; those for TensorBoard below `tensorboard/`

Runs of versions without oracles have all their trials in one `trials.json`, and no study, starts or executions.

Each document is written once: a redelivered task that writes the same again changes nothing, and the method returns
False. The ledger is the truth about a run; the broker only has hints.
"""

import os
import shutil
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.clock import now
from pipeline.errors import StoreError, UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.study.measurements import Measurements
from pipeline.learning.study.results import EvaluationReport
from pipeline.plans.run import Purpose, RunPlan
from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.base import GRACE_S
from storage.documents import Documents
from storage.ledger.scans import ScanLedger
from storage.ledger.trials import TrialLedger


class Claim(Value, frozen=True, kw_only=True):
    """The process that took a step which must be taken once."""

    name: str
    host: str
    pid: int
    taken: str
    """ISO 8601, UTC."""


class MlflowRecord(Value, frozen=True, kw_only=True):
    """The MLflow run that a run was sent to, or the reason why it could not be sent."""

    address: str
    """The tracking server's, without a password."""
    experiment: str = ""
    run: str = ""
    """The id of the MLflow run."""
    reason: str = ""
    """Why it could not be sent; empty when it was."""


class RunFailure(Value, frozen=True, kw_only=True):
    """The content of `failure.json`."""

    reason: str


class RunLedger(ScanLedger, TrialLedger):
    """The runs of one home, with their trials; safe from threads and processes, holds no open file.

    Every method raises `StoreError` naming the file when it cannot be written or read. Those that write and return a
    bool return False when the document exists, and leave it unchanged.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(Documents(home / "runs"))

    def path(self, run_id: str) -> Path:
        """Return the folder of a run. Raises `UsageError` for an invalid id."""
        return self._documents.path(f"{run_id}/plan").parent

    def logs(self, run_id: str) -> Path:
        """Return the folder for the logs of a run, made where it does not exist."""
        folder = self.path(run_id) / "logs"
        with durable.store_errors(folder, "be made"):
            durable.make_folder(folder)
        return folder

    def create(self, plan: RunPlan) -> bool:
        """Write the plan of a new run; False when the same was written before.

        Raises `UsageError` when the id belongs to another run.
        """
        self._documents.gc(grace_s=GRACE_S)
        if self._documents.publish(f"{plan.run_id}/plan", plan):
            return True
        if self.plan(plan.run_id) != plan:
            raise UsageError(f"run {plan.run_id}: there is another run of that id; take a new id")
        return False

    def plan(self, run_id: str) -> RunPlan:
        """Return the plan of a run. Raises `UsageError` when there is no such run."""
        plan = self._documents.find(f"{run_id}/plan", RunPlan)
        if plan is None:
            known = ", ".join(self.run_ids()[-3:]) or "none yet"
            raise UsageError(f"run {printable(run_id)}: no such run; the latest are: {known}")
        return plan

    def run_ids(self, purpose: Purpose | None = None) -> list[str]:
        """Return the ids of all runs, or of those for a purpose, newest last.

        By sequence and not by time, as a clock may have been set back.
        """
        plans, unreadable = self.plans()
        if unreadable:
            raise StoreError(next(iter(unreadable.values())))
        return [plan.run_id for plan in plans if purpose in {None, plan.purpose}]

    def plans(self) -> tuple[list[RunPlan], dict[str, str]]:
        """Return the plans of all runs that can be read, newest last, and why others cannot, by their ids."""
        with durable.store_errors(self._documents.root, "be listed"):
            names = [name for name in durable.names_in(self._documents.root) if not name.startswith(".")]
        plans: list[RunPlan] = []
        unreadable: dict[str, str] = {}
        for name in names:
            try:
                plan = self._documents.find(f"{name}/plan", RunPlan)
            except StoreError as error:
                if not isinstance(error.__cause__, NotADirectoryError):
                    unreadable[name] = str(error)
            except UsageError:
                continue  # no run has such a name
            else:
                plans += [plan] if plan is not None else []
        return sorted(plans, key=lambda plan: (plan.sequence, plan.created, plan.run_id)), unreadable

    def next_sequence(self) -> int:
        """Return a sequence above those of all runs: Unix milliseconds, unless a clock was set back."""
        newest = [self.plan(run_id).sequence + 1 for run_id in self.run_ids()[-1:]]
        return max([time.time_ns() // 1_000_000, *newest])

    def remove(self, run_id: str) -> None:
        """Remove all files of a run; does nothing when there is none."""
        folder = self.path(run_id)
        trash = self._documents.root / ".forgotten"
        with durable.store_errors(folder, "be removed"):
            durable.make_folder(trash)
            with suppress(FileNotFoundError):
                # Renamed first, as a run of which some documents are missing would look like an active one.
                folder.rename(durable.temporary_path(trash))
            shutil.rmtree(trash, ignore_errors=True)

    def known_mounts(self, libraries: Sequence[str]) -> set[str]:
        """Return the folders in some libraries at which the newest scan of each knew of another file system."""
        mounts: set[str] = set()
        wanted = set(libraries)
        for run_id in reversed(self.run_ids("library")):
            if not wanted:
                break
            end = self.scan_end(run_id)
            if end is not None and end.mounts is not None and (known := wanted & {*self.plan(run_id).libraries}):
                below = tuple(f"{library.rstrip('/')}/" for library in known)
                mounts |= {each for each in end.mounts if each.startswith(below)}
                wanted -= known
        return mounts

    def claim(self, run_id: str, name: str) -> bool:
        """Take a step that must be taken once; of all callers in all processes exactly one gets True."""
        claim = Claim(name=name, host=socket.gethostname(), pid=os.getpid(), taken=now())
        return self._documents.publish(f"{run_id}/claims/{name}", claim)

    def claim_of(self, run_id: str, name: str) -> Claim | None:
        """Return the claim of a step, or None when it was not taken."""
        return self._documents.find(f"{run_id}/claims/{name}", Claim)

    def put_manifest(self, manifest: DatasetManifest) -> bool:
        """Write the dataset that the run learns from."""
        return self._documents.publish(f"{manifest.run_id}/dataset", manifest)

    def manifest(self, run_id: str) -> DatasetManifest | None:
        """Return the dataset that the run learns from, or None before it is written."""
        return self._documents.find(f"{run_id}/dataset", DatasetManifest)

    def put_split(self, run_id: str, split: Split) -> bool:
        """Write the split of the run's tracks."""
        return self._documents.publish(f"{run_id}/split", split)

    def split(self, run_id: str) -> Split | None:
        """Return the split of the run's tracks, or None before it is written."""
        return self._documents.find(f"{run_id}/split", Split)

    def put_report(self, report: EvaluationReport) -> bool:
        """Write the evaluation of the final model."""
        return self._documents.publish(f"{report.run_id}/report", report)

    def report(self, run_id: str) -> EvaluationReport | None:
        """Return the evaluation of the final model, or None before it is written."""
        return self._documents.find(f"{run_id}/report", EvaluationReport)

    def has_report(self, run_id: str) -> bool:
        """Return whether the evaluation of the final model is written, without reading all its predictions."""
        return self._documents.exists(f"{run_id}/report")

    def put_measurements(self, measurements: Measurements) -> bool:
        """Write the measurements of the recipe's outputs."""
        return self._documents.publish(f"{measurements.run_id}/measured", measurements)

    def measurements(self, run_id: str) -> Measurements | None:
        """Return the measurements of the recipe's outputs, or None when there are none."""
        return self._documents.find(f"{run_id}/measured", Measurements)

    def put_mlflow_record(self, run_id: str, record: MlflowRecord) -> None:
        """Write which MLflow run the run was sent to, in place of an earlier record."""
        self._documents.replace(f"{run_id}/tracked", record)

    def mlflow_record(self, run_id: str) -> MlflowRecord | None:
        """Return which MLflow run the run was sent to, or None when it never was to be sent."""
        return self._documents.find(f"{run_id}/tracked", MlflowRecord)

    def fail(self, run_id: str, reason: str) -> bool:
        """Write why the run cannot go on; the first reason stays."""
        return self._documents.publish(f"{run_id}/failure", RunFailure(reason=reason))

    def failure(self, run_id: str) -> str | None:
        """Return why the run cannot go on, or None while it can."""
        failure = self._documents.find(f"{run_id}/failure", RunFailure)
        return failure.reason if failure is not None else None

    def write_cache(self, run_id: str, name: str, data: bytes) -> None:
        """Write a file that can be made again from a run's documents; does nothing where the home is read-only."""
        with suppress(OSError):
            self._documents.replace_file(self.path(run_id) / name, data)

    def read_cache(self, run_id: str, name: str) -> bytes | None:
        """Return the content of a cache, unchecked, or None when it cannot be read."""
        try:
            return (self.path(run_id) / name).read_bytes()
        except OSError:
            return None
