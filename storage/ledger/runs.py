"""What a run was asked to do and how far it is: immutable documents below `runs/` in the home.

    runs/<run_id>/plan.json             the orders
    runs/<run_id>/shards/00000.json     the tracks of each shard, written while the producer walks the library
    runs/<run_id>/scan.json             how many shards there are, written when the walk is over
    runs/<run_id>/sealed/00000.json     what became of each shard
    runs/<run_id>/claims/<name>.json    who may take a step that must be taken once
    runs/<run_id>/dataset.json, split.json, report.json, failure.json
    runs/<run_id>/study.json            how many trials there are, and which model each tries
    runs/<run_id>/oracle/<model>/00001.json  what the search of a model was, version by version
    runs/<run_id>/trials/0000.json      the configuration of each trial that was handed out
    runs/<run_id>/starts/0000-01.json   every time a trial was begun, and where
    runs/<run_id>/executions/0000-00.json    how each execution of a trial ended
    runs/<run_id>/outcomes/0000.json    how each trial ended
    runs/<run_id>/measured.json         what the outputs of the recipe measured; outputs/ has the files they keep
    runs/<run_id>/tracked.json          the MLflow that was told of the run
    runs/<run_id>/labels.npz            the tracks' labels once more, quick to read; see `labelling`
    runs/<run_id>/logs/                 whatever processes write; TensorBoard's below `tensorboard/`

Runs of before there were oracles have all their trials in one `trials.json`, and no study, starts or executions.

Everything is written once: a redelivered task that writes the same again changes nothing and is told so. The ledger
owns what a run is; the broker only carries hints about it.
"""

import os
import shutil
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.study.measurements import Measurements
from pipeline.learning.study.results import EvaluationReport
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.run import Purpose, RunPlan, ShardSummary
from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.base import GRACE_S
from storage.documents import Documents
from storage.ledger.trials import TrialLedger


class Claim(Value, frozen=True, kw_only=True):
    """Who took a step that must be taken once, and when."""

    name: str
    host: str
    pid: int
    taken: str
    """ISO 8601, UTC."""


class Tracked(Value, frozen=True, kw_only=True):
    """An MLflow that was told of a run, or why it was not."""

    address: str
    """Without a password."""
    experiment: str = ""
    run: str = ""
    """The run's id there."""
    reason: str = ""
    """Why it was not told; empty when it was."""


class _Tracks(Value, frozen=True, kw_only=True):
    tracks: tuple[ScannedTrack, ...]


class _Scan(Value, frozen=True, kw_only=True):
    shards: int
    left_out: int = 0


class _RunFailure(Value, frozen=True, kw_only=True):
    reason: str


class RunLedger(TrialLedger):
    """The runs of one home, with their trials; safe from threads and processes, holds nothing open.

    Every method raises `StoreError` naming the file when it cannot be written or read; those that return a bool
    return False when the same was written before, and leave what is there alone.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(Documents(home / "runs"))

    def path(self, run_id: str) -> Path:
        """Return the folder of a run. Raises `UsageError` for an id that cannot be one."""
        return self._documents.path(f"{run_id}/plan").parent

    def logs(self, run_id: str) -> Path:
        """Return the folder for the logs of a run, made when it is not there."""
        folder = self.path(run_id) / "logs"
        with durable.store_errors(folder, "be made"):
            durable.make_folder(folder)
        return folder

    def create(self, plan: RunPlan) -> bool:
        """Write the orders of a new run; False when the same were written before.

        Raises `UsageError` when the id belongs to another run.
        """
        self._documents.gc(grace_s=GRACE_S)
        if self._documents.publish(f"{plan.run_id}/plan", plan):
            return True
        if self.plan(plan.run_id) != plan:
            raise UsageError(f"run {plan.run_id}: there is another run of that id; take a new id")
        return False

    def plan(self, run_id: str) -> RunPlan:
        """Return the orders of a run. Raises `UsageError` when there is no such run."""
        plan = self._documents.find(f"{run_id}/plan", RunPlan)
        if plan is None:
            known = ", ".join(self.run_ids()[-3:]) or "none yet"
            raise UsageError(f"run {printable(run_id)}: no such run; the latest are: {known}")
        return plan

    def run_ids(self, purpose: Purpose | None = None) -> list[str]:
        """Return the ids of all runs, or of those for some purpose, newest last.

        By their sequences, as a clock may have been set back.
        """
        with durable.store_errors(self._documents.root, "be listed"):
            names = [name for name in durable.names_in(self._documents.root) if not name.startswith(".")]
        plans = [self._documents.find(f"{name}/plan", RunPlan) for name in names]
        wanted = [plan for plan in plans if plan is not None and purpose in {None, plan.purpose}]
        return [plan.run_id for plan in sorted(wanted, key=lambda plan: (plan.sequence, plan.created, plan.run_id))]

    def next_sequence(self) -> int:
        """Return a sequence above those of all runs: the time in milliseconds, unless a clock was set back."""
        newest = [self.plan(run_id).sequence + 1 for run_id in self.run_ids()[-1:]]
        return max([time.time_ns() // 1_000_000, *newest])

    def forget(self, run_id: str) -> None:
        """Remove all there is of a run that nobody needs any more."""
        folder = self.path(run_id)
        leaving = self._documents.root / ".forgotten"
        with durable.store_errors(folder, "be removed"):
            durable.make_folder(leaving)
            with suppress(FileNotFoundError):
                # Under another name first: half a run would look like one that goes on.
                folder.rename(durable.temporary_path(leaving))
            shutil.rmtree(leaving, ignore_errors=True)

    def write_shard(self, run_id: str, shard: int, tracks: Sequence[ScannedTrack]) -> bool:
        """Write the tracks of a shard."""
        return self._documents.publish(f"{run_id}/shards/{shard:05d}", _Tracks(tracks=tuple(tracks)))

    def shard(self, run_id: str, shard: int) -> tuple[ScannedTrack, ...]:
        """Return the tracks of a shard. Raises `StoreError` when it was not written."""
        return self._documents.read(f"{run_id}/shards/{shard:05d}", _Tracks).tracks

    def shards(self, run_id: str) -> list[int]:
        """Return the numbers of the shards written so far, ascending."""
        return self._numbers(f"{run_id}/shards")

    def close_scan(self, run_id: str, shards: int, *, left_out: int = 0) -> bool:
        """Say that the walk is over, how many shards it wrote, and how many paths it could not look at."""
        return self._documents.publish(f"{run_id}/scan", _Scan(shards=shards, left_out=left_out))

    def scanned_all(self, run_id: str) -> bool:
        """Return whether the walk is over and saw all there is in the run's libraries."""
        scan = self._documents.find(f"{run_id}/scan", _Scan)
        return scan is not None and not scan.left_out

    def shard_count(self, run_id: str) -> int | None:
        """Return how many shards the run has, or None while the producer still walks."""
        scan = self._documents.find(f"{run_id}/scan", _Scan)
        return scan.shards if scan is not None else None

    def seal(self, run_id: str, summary: ShardSummary) -> bool:
        """Say what became of the files of a shard; the first to say so is believed."""
        return self._documents.publish(f"{run_id}/sealed/{summary.shard:05d}", summary)

    def sealed(self, run_id: str) -> dict[int, ShardSummary]:
        """Return what became of each sealed shard, by number."""
        names = self._documents.names(f"{run_id}/sealed")
        summaries = (self._documents.read(name, ShardSummary) for name in names)
        return {summary.shard: summary for summary in summaries}

    def sealed_shards(self, run_id: str) -> list[int]:
        """Return the numbers of the sealed shards, ascending, without reading their summaries."""
        return self._numbers(f"{run_id}/sealed")

    def claim(self, run_id: str, name: str) -> bool:
        """Take a step that must be taken once; of all callers in all processes exactly one gets True."""
        claim = Claim(name=name, host=socket.gethostname(), pid=os.getpid(), taken=now())
        return self._documents.publish(f"{run_id}/claims/{name}", claim)

    def claimed(self, run_id: str, name: str) -> Claim | None:
        """Return who took a step, or None when nobody did."""
        return self._documents.find(f"{run_id}/claims/{name}", Claim)

    def put_manifest(self, manifest: DatasetManifest) -> bool:
        """Write what the run learns from."""
        return self._documents.publish(f"{manifest.run_id}/dataset", manifest)

    def manifest(self, run_id: str) -> DatasetManifest | None:
        """Return what the run learns from, or None when that is not settled."""
        return self._documents.find(f"{run_id}/dataset", DatasetManifest)

    def put_split(self, run_id: str, split: Split) -> bool:
        """Write how the run's tracks are parted."""
        return self._documents.publish(f"{run_id}/split", split)

    def split(self, run_id: str) -> Split | None:
        """Return how the run's tracks are parted, or None when that is not settled."""
        return self._documents.find(f"{run_id}/split", Split)

    def put_report(self, report: EvaluationReport) -> bool:
        """Write how the winner does."""
        return self._documents.publish(f"{report.run_id}/report", report)

    def report(self, run_id: str) -> EvaluationReport | None:
        """Return how the winner does, or None when that is not known."""
        return self._documents.find(f"{run_id}/report", EvaluationReport)

    def has_report(self, run_id: str) -> bool:
        """Return whether it is known how the winner does, without reading all its predictions."""
        return self._documents.exists(f"{run_id}/report")

    def put_measured(self, measured: Measurements) -> bool:
        """Write what the outputs of the run's recipe measured."""
        return self._documents.publish(f"{measured.run_id}/measured", measured)

    def measured(self, run_id: str) -> Measurements | None:
        """Return what the outputs of the run's recipe measured, or None when nothing was."""
        return self._documents.find(f"{run_id}/measured", Measurements)

    def put_tracked(self, run_id: str, told: Tracked) -> None:
        """Say which MLflow was told of a run; the last word counts."""
        self._documents.replace(f"{run_id}/tracked", told)

    def tracked(self, run_id: str) -> Tracked | None:
        """Return which MLflow was told of a run, or None when none should be."""
        return self._documents.find(f"{run_id}/tracked", Tracked)

    def fail(self, run_id: str, reason: str) -> bool:
        """Say why the run cannot go on; the first reason stays."""
        return self._documents.publish(f"{run_id}/failure", _RunFailure(reason=reason))

    def failure(self, run_id: str) -> str | None:
        """Return why the run cannot go on, or None while it can."""
        failure = self._documents.find(f"{run_id}/failure", _RunFailure)
        return failure.reason if failure is not None else None

    def keep(self, run_id: str, name: str, data: bytes) -> None:
        """Keep a copy of what can be made again from a run's documents; not where the home cannot be written."""
        with suppress(OSError):
            self._documents.replace_file(self.path(run_id) / name, data)

    def kept(self, run_id: str, name: str) -> bytes | None:
        """Return what was kept, or None; it is not known to be whole."""
        try:
            return (self.path(run_id) / name).read_bytes()
        except OSError:
            return None
