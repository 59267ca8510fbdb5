"""Watching a run: reads the ledger, shows the stages as they come and go, and tells when the run has ended."""

from typing import TYPE_CHECKING

from pipeline.runs import RunPlan
from workers import sweep
from workers.producer import ScanSummary
from workers.progress import View

if TYPE_CHECKING:
    from workers.context import Context


class Watcher:
    """Follows one run from stage to stage: extract, trials, final."""

    def __init__(self, context: "Context", plan: RunPlan, found: ScanSummary, view: View) -> None:
        self.plan = plan
        self.view = view
        self.state = sweep.observe(context, plan.run_id)
        self._context = context
        self._files = found.files
        self._stage = ""
        self._extracted = False

    def look(self) -> bool:
        """Read the run's state and show it; return whether the run has ended."""
        self.state = sweep.observe(self._context, self.plan.run_id)
        extracted = len(self.state.sealed) == self.state.shards or not self.plan.extract
        if not extracted:
            self._show_extraction()
            return self.state.ended
        self._end_extraction()
        if not self.plan.learn or self.state.ended:
            self._leave()
            return True
        self._show_learning()
        return False

    def _show_extraction(self) -> None:
        self._enter("extract", self._files)
        counts = self._context.counters.progress(self.plan.run_id)
        done = sum(int(counts.get(name, 0)) for name in ("extracted", "unchanged", "failed"))
        notes = [f"{int(counts[name])} failed" for name in ("failed",) if counts.get(name)]
        if audio_s := counts.get("audio_s"):
            notes.append(f"{audio_s / 60:.0f} min of audio")
        self.view.update("extract", min(done, self._files), total=self._files, note=", ".join(notes))

    def _end_extraction(self) -> None:
        if not self.plan.extract or self._extracted:
            return
        self._extracted = True
        self._enter("extract", self._files)
        sealed = self._context.ledger.sealed(self.plan.run_id).values()
        counts = {
            name: sum(getattr(summary, name) for summary in sealed) for name in ("extracted", "unchanged", "failed")
        }
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "extracted")
        self._leave(done=sum(counts.values()), note=told)

    def _show_learning(self) -> None:
        trials = self.state.trials
        if trials is None or len(self.state.outcomes) < len(trials):
            self._enter("trials", len(trials or ()) or None)
            self.view.update("trials", len(self.state.outcomes), total=len(trials or ()) or None)
        else:
            self._enter("final training", None)

    def _enter(self, stage: str, total: int | None) -> None:
        if stage == self._stage:
            return
        self._leave()
        self._stage = stage
        self.view.stage(stage, total=total)

    def _leave(self, *, done: int | None = None, note: str = "") -> None:
        if not self._stage:
            return
        if done is None:
            done = len(self.state.outcomes) if self._stage == "trials" else 1
        self.view.finish(self._stage, done, note=note)
        self._stage = ""
