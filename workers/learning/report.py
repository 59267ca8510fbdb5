"""The report of a run: its content from ledger and store, written into the run's folder."""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.learning.evaluation.gate import Verdict
from pipeline.learning.study.results import EvaluationReport
from pipeline.library.folders.left_out import NOTHING
from pipeline.library.tracks import TrackRecord
from pipeline.library.vocabulary.tally import LabelTally
from pipeline.plans.run import RunPlan
from pipeline.report import write_report
from pipeline.report.content import FILES, ReportContent, RunCounts, TrackFacts, gather_facts
from pipeline.text import printable
from pipeline.versions import software_versions
from storage import durable
from storage.home import Home
from storage.ledger.times import trials_wall_s
from workers.broker.counters import OUTCOMES
from workers.learning import outputs
from workers.learning.study import scanned_tracks
from workers.runs.figures import Figures, read_strictly
from workers.runs.state import RunState

if TYPE_CHECKING:
    from pipeline.report.view import Section


def write(home: Home, run_id: str) -> Path:
    """Write, or write again, the report of a run and return its path. Raises `StoreError` when it cannot be written."""
    target = home.ledger.path(run_id) / "report.html"
    found, more = content(home, run_id), outputs.sections(home, run_id)
    with durable.store_errors(target, "be written"):
        write_report(target, found, more)
    return target


def write_page(target: Path, found: ReportContent, more: "Sequence[Section]" = ()) -> None:
    """Write a report into a file that somebody named. Raises `UsageError` naming it, the reason and the mend."""
    try:
        write_report(target, found, more)
    except OSError as error:
        raise UsageError(f"report {printable(str(target))}: cannot be written ({durable.reason(error)})") from error


def read_page(home: Home, run_id: str, figures: Figures) -> "tuple[ReportContent, Sequence[Section]]":
    """Return what can be read for a run's report; what cannot is named in `figures`, and in the report."""
    more = figures.read("outputs", lambda: outputs.sections(home, run_id), ())
    return content(home, run_id, figures), more


def content(home: Home, run_id: str, figures: Figures | None = None) -> ReportContent:
    """Return the content of a run's report; with `figures`, what cannot be read is left out and named there."""
    read = read_strictly if figures is None else figures.read
    ledger = home.ledger
    state = RunState.read(home, run_id, figures)
    plan = state.plan
    counts = read(FILES, lambda: state.tracks, dict.fromkeys(OUTCOMES, 0))
    files, labels = read(FILES, lambda: _labels(home, plan), (0, LabelTally()))
    scan = read("scan", lambda: ledger.scan_end(run_id), None)
    evaluation = read("scores", lambda: ledger.report(run_id), None)
    found = ReportContent(
        plan=plan,
        counts=RunCounts(scanned=files, **{name: counts[name] for name in OUTCOMES}),
        facts=read(FILES, lambda: gather_facts(_records(home, run_id)), TrackFacts()),
        class_balance=dict(sorted(labels.first.items())),
        specs=read("features", lambda: tuple(family(name).spec for name in plan.recipe.families), ()),
        manifest=read("dataset", lambda: ledger.manifest(run_id), None),
        split=read("split", lambda: ledger.split(run_id), None),
        study=read("search", lambda: ledger.study(run_id), None),
        trials=read("trials", lambda: ledger.trials(run_id), ()),
        outcomes=read("trials", lambda: tuple(ledger.outcomes(run_id)), ()),
        evaluation=evaluation,
        trials_wall_s=read("seconds", lambda: trials_wall_s(ledger, run_id), None),
        verdict=read("champion", lambda: _verdict(home, evaluation), None),
        seconds=read("seconds", lambda: state.seconds, {}),
        versions=software_versions(),
        host={
            "system": platform.platform(terse=True),
            "processor": platform.machine(),
            "cores": str(os.cpu_count()),
            "name": platform.node(),
        },
        created=now(),
        scan_notes=scan.notes if scan is not None else (),
        left_out=scan.omitted if scan is not None else NOTHING,
        unreadable=scan.unreadable if scan is not None else (),
        unread=scan.left_out if scan is not None and scan.unreadable else 0,
        label_findings=labels.findings(),
    )
    return found if figures is None else found.replace(missing=dict(figures.errors))


def _labels(home: Home, plan: RunPlan) -> tuple[int, LabelTally]:
    """Return how many files a run's scan found, and their labels."""
    tally = LabelTally(plan.rules.folding)
    files = 0
    for track in scanned_tracks(home, plan.run_id):
        files += 1
        tally.add(track)
    return files, tally


def _verdict(home: Home, evaluation: EvaluationReport | None) -> Verdict | None:
    return home.champions.verdict(evaluation.model.version) if evaluation is not None else None


def _records(home: Home, run_id: str) -> Iterator[TrackRecord]:
    """Yield the store's record of each file of the run."""
    snapshot = home.store.snapshot()
    for track in scanned_tracks(home, run_id):
        record = snapshot.record(track.track_id)
        if record is not None and record.mark is None:
            yield record
