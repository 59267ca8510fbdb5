"""The report of a run: its content from ledger and store, written into the run's folder."""

import os
import platform
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipeline.clock import now
from pipeline.features.registry import family
from pipeline.library.tracks import TrackRecord
from pipeline.report import write_report
from pipeline.report.content import ReportContent, RunCounts, gather_facts
from pipeline.versions import software_versions
from storage.home import Home
from storage.ledger.times import trials_wall_s
from workers.learning import outputs
from workers.learning.study import scanned_tracks
from workers.runs.state import RunState


def write(home: Home, run_id: str) -> Path:
    """Write, or write again, the report of a run and return its path."""
    target = home.ledger.path(run_id) / "report.html"
    write_report(target, content(home, run_id), outputs.sections(home, run_id))
    return target


def content(home: Home, run_id: str) -> ReportContent:
    """Return the content of a run's report."""
    ledger = home.ledger
    state = RunState.read(home, run_id)
    plan, counts = state.plan, state.tracks
    balance: Counter[str] = Counter()
    files = 0
    evaluation = ledger.report(run_id)
    for track in scanned_tracks(home, run_id):
        files += 1
        if track.label is not None:
            balance[track.label] += 1
    return ReportContent(
        plan=plan,
        counts=RunCounts(scanned=files, **{name: counts[name] for name in ("extracted", "unchanged", "failed")}),
        facts=gather_facts(_records(home, run_id)),
        class_balance=dict(sorted(balance.items())),
        specs=tuple(family(name).spec for name in plan.recipe.families),
        manifest=ledger.manifest(run_id),
        split=ledger.split(run_id),
        study=ledger.study(run_id),
        trials=ledger.trials(run_id),
        outcomes=tuple(ledger.outcomes(run_id)),
        evaluation=evaluation,
        trials_wall_s=trials_wall_s(ledger, run_id),
        verdict=home.champions.verdict(evaluation.model.version) if evaluation is not None else None,
        seconds=state.seconds,
        versions=software_versions(),
        host={
            "system": platform.platform(terse=True),
            "processor": platform.machine(),
            "cores": str(os.cpu_count()),
            "name": platform.node(),
        },
        created=now(),
    )


def _records(home: Home, run_id: str) -> Iterator[TrackRecord]:
    """Yield the store's record of each file of the run."""
    snapshot = home.store.snapshot()
    for track in scanned_tracks(home, run_id):
        record = snapshot.record(track.track_id)
        if record is not None and record.mark is None:
            yield record
