"""The progress of a run on a person's screen: reads its state, and shows each stage as it begins and ends."""

from datetime import datetime

from pipeline.errors import StoreError
from pipeline.learning.search.ranking import describe_search, summarise
from pipeline.library.scan_summary import ScanSummary
from pipeline.plans.run import RunPlan
from workers.app import controls
from workers.app.context import Context
from workers.runs.file_counts import SealedFiles, count_files
from workers.runs.progress import View
from workers.runs.state import RunState, describe_counts


class RunMonitor:
    """Follows one run from stage to stage: extract, trials, final."""

    def __init__(self, context: Context, plan: RunPlan, found: ScanSummary, view: View) -> None:
        self.plan = plan
        self.view = view
        self.state = RunState.read(context, plan.run_id)
        self.ended = False
        """Whether the run has come to its end, well or not."""
        self.settled = 0
        """Files that its tasks were counted to have dealt with."""
        self._context = context
        self._files = found.files
        self._sealed = SealedFiles(context.ledger, plan.run_id)
        self._stage = ""
        self._is_extracted = False
        self._is_search_shown = False
        self._held_by = ""

    def update(self) -> None:
        """Read the run's state and show it. Raises `StoreError`, or one of `BROKER_ERRORS`."""
        self.state = RunState.read(self._context, self.plan.run_id)
        self._show_controls()
        if self.plan.extract and not self.state.all_sealed:
            self._show_extraction()
        else:
            self._end_extraction()
        if self.state.ended or (self._is_extracted and not self.plan.learn):
            self._end_stage()
            self.ended = True
        elif self._is_extracted:
            self._show_learning()

    def _show_controls(self) -> None:
        try:
            held_by = controls.hold_reason(controls.load(self._context.path), datetime.now().astimezone().time())
        except StoreError:
            return  # the workers keep the last ones known, and say so in their logs
        if held_by != self._held_by:
            mend = "`chordal resume`" if held_by == "paused" else "`chordal throttle --hours none`"
            self.view.line(f"{held_by}: nothing new is started; {mend} changes that" if held_by else "work goes on")
            self._held_by = held_by

    def _show_extraction(self) -> None:
        self._begin_stage("extract", self._files)
        progress = self._context.counters.progress(self.plan.run_id)
        counts = count_files(self.state, progress, of=self._files, sealed=self._sealed)
        self.settled = done = counts.settled
        notes = [] if done else ["the workers are starting"]
        if failed := counts.outcomes["failed"]:
            notes.append(f"{failed} failed")
        if audio_s := progress.get("audio_s"):
            notes.append(f"{audio_s / 60:.0f} min of audio")
        self.view.update("extract", done, total=self._files, note=", ".join(notes))

    def _end_extraction(self) -> None:
        if self._is_extracted:
            return
        self._is_extracted = True
        if not self.plan.extract:
            return
        self._begin_stage("extract", self._files)
        counts = self.state.tracks
        self._end_stage(done=sum(counts.values()), note=describe_counts(counts))

    def _show_learning(self) -> None:
        trials, ended = self.state.trials, len(self.state.ended_trials)
        if trials is None or ended < len(trials):
            total = len(trials or ()) or None
            self._begin_stage("trials", total)
            self._show_search()
            note = "" if ended else "the first ones load TensorFlow" if trials else "being drawn up"
            self.view.update("trials", ended, total=total, note=note)
        else:
            self._begin_stage("final training", None)
            self.view.update("final training", 0, note="fitting the winner, reading the test tracks once")

    def _show_search(self) -> None:
        """Show once what is searched, as soon as the study is drawn up."""
        study = self._context.ledger.study(self.plan.run_id) if not self._is_search_shown else None
        if study is None:
            return
        self._is_search_shown = True
        for line in describe_search(summarise(self.plan.recipe, study)):
            self.view.line(line)
        if words := study.describe_resumption():
            self.view.line(words)

    def _begin_stage(self, stage: str, total: int | None) -> None:
        if stage == self._stage:
            return
        self._end_stage()
        self._stage = stage
        self.view.stage(stage, total=total)

    def _end_stage(self, *, done: int | None = None, note: str = "") -> None:
        if not self._stage:
            return
        if done is None:
            done = len(self.state.ended_trials) if self._stage == "trials" else 1
        self.view.finish(self._stage, done, note=note)
        self._stage = ""
