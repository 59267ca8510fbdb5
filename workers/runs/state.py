"""How far a run is, read in one place for whoever shows it, waits for it or takes it up again."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Self

from pipeline.plans.run import RunPlan
from pipeline.wire import Value
from storage.home import Home
from storage.ledger.times import stage_ends
from workers.extraction import settled
from workers.runs.figures import Figures, read_strictly

Stage = Literal["scan", "extract", "trials", "final", "finished", "failed", "cancelled"]

ENDS: tuple[Stage, ...] = ("finished", "failed", "cancelled")
"""The stages that no other follows."""

CANCELLED = "cancelled"
"""The claim in the ledger of whoever cancelled a run."""

STOPPED = "stopped"
"""The claim in the ledger of a run whose command ended before the run did."""


class Step(Value, frozen=True, kw_only=True):
    """Something that has to be published again."""

    kind: Literal["shard", "plan", "trials", "finish"]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run as its ledger shows it at one moment; what only some callers need is read when they first ask for it.

    Two states are equal when nothing has happened between them.
    """

    home: Home = field(repr=False, compare=False)
    plan: RunPlan = field(repr=False, compare=False)
    shards: int | None
    """How many there are; None while the scan goes on."""
    sealed: frozenset[int] = frozenset()
    """Numbers of the shards whose files are all extracted, unchanged or failed."""
    trials: frozenset[int] | None = None
    """Indices of the planned trials; None before the study is drawn up."""
    ended_trials: frozenset[int] = frozenset()
    """Indices of the trials that have an outcome."""
    has_report: bool = False
    """Whether the scores of the winner are written."""
    has_page: bool = False
    """Whether the report's page is written too, which is the last thing a run does."""
    failure: str | None = None
    """Why the run cannot go on; None while it can."""
    cancelled: bool = False

    @classmethod
    def read(cls, home: Home, run_id: str, figures: Figures | None = None) -> Self:
        """Return the state of a run now.

        What this costs grows with the shards and trials, not with the files. Raises `UsageError` for a run that is
        not there, `StoreError` for a ledger that cannot be read; with `figures` only for the run's plan, and of
        anything else the reason is kept there, and the state is as if it were not written.
        """
        read = read_strictly if figures is None else figures.read
        ledger = home.ledger
        plan = ledger.plan(run_id)
        has_report = read("report", lambda: ledger.has_report(run_id), otherwise=False)
        return cls(
            home=home,
            plan=plan,
            shards=read("shards", lambda: ledger.shard_count(run_id), None),
            sealed=read("shards", lambda: frozenset(ledger.sealed_shards(run_id)), frozenset()),
            trials=read("trials", lambda: _trials(home, run_id), None),
            ended_trials=read("trials", lambda: frozenset(ledger.ended_trials(run_id)), frozenset()),
            has_report=has_report,
            has_page=has_report and (ledger.path(run_id) / "report.html").exists(),
            failure=read("failure", lambda: ledger.failure(run_id), "the reason cannot be read"),
            cancelled=read("stage", lambda: ledger.claim_of(run_id, CANCELLED), None) is not None,
        )

    @property
    def stage(self) -> Stage:
        """The stage that the run is in, or how it ended."""
        if self.failure is not None or self.has_report:
            return "finished" if self.failure is None else "failed"
        if self.cancelled:
            return "cancelled"
        if self.shards is None:
            return "scan"
        if self.plan.extract and not self.all_sealed:
            return "extract"
        if not self.plan.learn:
            return "finished"
        return "trials" if self.trials is None or len(self.ended_trials) < len(self.trials) else "final"

    @property
    def all_sealed(self) -> bool:
        """Whether the scan is over and no shard is left to extract."""
        return len(self.sealed) == self.shards

    @property
    def ended(self) -> bool:
        """Whether nothing more will be written: a command that left before would stop the worker that writes it."""
        return self.failure is not None or (self.has_report and self.has_page)

    def missing_steps(self) -> list[Step]:
        """Return what has to be published for the run to go on, given that nothing is queued or running."""
        if self.ended or self.shards is None:
            return []
        unsealed = sorted(set(range(self.shards)) - self.sealed) if self.plan.extract else []
        if unsealed:
            return [Step(kind="shard", numbers=(shard,)) for shard in unsealed]
        if not self.plan.learn:
            return []
        if self.trials is None:
            return [Step(kind="plan")]
        open_trials = sorted(self.trials - self.ended_trials)
        return [Step(kind="trials", numbers=tuple(open_trials)) if open_trials else Step(kind="finish")]

    @cached_property
    def stopped(self) -> bool:
        """Whether the run's command ended before the run did."""
        return self.home.ledger.claim_of(self.plan.run_id, STOPPED) is not None

    @cached_property
    def shards_written(self) -> int:
        """How many shards the scan has written so far."""
        return len(self.home.ledger.shards(self.plan.run_id)) if self.shards is None else self.shards

    @cached_property
    def files(self) -> int:
        """How many files the scan has found so far: all shards are as large as the first, but the last."""
        ledger, run_id = self.home.ledger, self.plan.run_id
        shards = ledger.shards(run_id)
        if not shards:
            return 0
        last = len(ledger.shard(run_id, shards[-1]))
        return last if len(shards) == 1 else (len(shards) - 1) * len(ledger.shard(run_id, shards[0])) + last

    @cached_property
    def tracks(self) -> dict[str, int]:
        """How many files were extracted by the run, were there already or failed.

        Of a run that extracts, those in sealed shards. Of one that does not, all of them, those that are not
        extracted yet as `missing`; this reads every shard and asks the store.
        """
        ledger, plan = self.home.ledger, self.plan
        if plan.extract:
            sealed = [ledger.summary(plan.run_id, shard) for shard in self.sealed]
            return {
                name: sum(getattr(summary, name) for summary in sealed) for name in ("extracted", "unchanged", "failed")
            }
        counts = {"extracted": 0, "unchanged": 0, "failed": 0, "missing": 0}
        snapshot = self.home.store.snapshot()
        keys = settled.family_keys(plan)
        for shard in ledger.shards(plan.run_id):
            for track in ledger.shard(plan.run_id, shard):
                record = snapshot.record(track.track_id)
                if record is not None and record.failure is not None and record.mark is None:
                    counts["failed"] += 1
                else:
                    counts["unchanged" if settled.is_settled(track, snapshot, keys) else "missing"] += 1
        return counts

    @cached_property
    def retagged(self) -> int:
        """How many of the unchanged files in sealed shards have other tags around the same sound."""
        return sum(self.home.ledger.summary(self.plan.run_id, shard).retagged for shard in self.sealed)

    @cached_property
    def seconds(self) -> dict[str, float]:
        """The wall seconds of each stage that has ended, by when its last document was written."""
        ends = stage_ends(self.home.ledger, self.plan.run_id)
        began = ends.pop("plan")
        seconds: dict[str, float] = {}
        for stage, end in ends.items():
            seconds[stage] = round(max(0.0, end - began), 3)
            began = end
        return seconds


def _trials(home: Home, run_id: str) -> frozenset[int] | None:
    study = home.ledger.study(run_id)
    return None if study is None else frozenset(study.indices)


def describe_counts(counts: dict[str, int]) -> str:
    """Return what became of the files, in words."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "extracted")
