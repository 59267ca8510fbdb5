"""The summary of a run at its command's end, for people and for programs: read from the ledger, not from the broker."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.learning.dataset.flaws import RowSides
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.evaluation import classes_scored
from pipeline.learning.study.results import EvaluationReport, Scores
from pipeline.learning.study.trials import StudyPlan
from pipeline.plans.run import RunPlan
from pipeline.text import printable
from storage.home import Home
from storage.ledger.times import trials_wall_s
from workers.cli.runs.summary_text import summary_lines
from workers.cli.tables import show_facts
from workers.learning import study
from workers.runs.state import RunState

if TYPE_CHECKING:
    from workers.runs.request import ScannedRun

BEST = 5
"""How many of the best trials a summary lists; `chordal status --trials` has them all."""


def run_summary(home: Home, scanned: "ScannedRun") -> dict[str, Any]:
    """Return the summary of a run that ended, as `--json` prints it."""
    run_id = scanned.plan.run_id
    state = RunState.read(home, run_id)
    summary: dict[str, Any] = {
        "run_id": run_id,
        "tracks": {**_scanned(scanned), **state.tracks},
        "deleted": scanned.found.gone,
        **_counted_files(home, scanned.plan),
        "retagged": state.retagged,
        "labels": scanned.found.labels,
        "unlabelled": scanned.found.unlabelled_formats,
        "cut_tags": scanned.found.cut_tags,
        **_missed(scanned),
        **_observations(scanned),
        "cue_sheets": scanned.found.sheets.to_wire(),
        **_label_findings(scanned),
    }
    report = home.ledger.report(run_id)
    if report is not None:
        summary |= _learned(home, run_id, report)
    return summary | {
        "report": _existing(home.ledger.path(run_id) / "report.html"),
        "seconds": state.seconds,
    }


def _counted_files(home: Home, plan: RunPlan) -> dict[str, int]:
    """Return how many files of a run's libraries have the content of another one there, and a remark.

    The content was computed once; a file with a remark was used, in part or whole.
    """
    roots = tuple(f"{library.rstrip('/')}/" for library in plan.libraries)
    contents = bytearray()
    remarks = 0
    for record in home.store.snapshot().records():
        if record.extracted and not record.copy_of and record.path.startswith(roots):
            contents += bytes.fromhex(record.content_hash)
            remarks += record.has_remark
    hashes = np.frombuffer(bytes(contents), "S16")
    ids = np.sort(hashes)  # not np.unique, which imports numpy.ma
    return {"duplicates": int(np.count_nonzero(ids[1:] == ids[:-1])), "remarks": remarks}


def scan_summary(home: Home, scanned: "ScannedRun") -> dict[str, Any]:
    """Return the summary of a scan, as `--json` prints it."""
    found = scanned.found
    return {
        "run_id": scanned.plan.run_id,
        "tracks": {"scanned": found.files, "unlabelled": found.unlabelled, **_scanned(scanned)},
        "deleted": found.gone,
        "bytes": found.bytes,
        "formats": found.formats,
        "labels": found.labels,
        **_label_findings(scanned),
        "shards": found.shards,
        "split": scanned.split.to_wire(),
        **_missed(scanned),
        **_observations(scanned),
        "unlabelled": found.unlabelled_formats,
        "cut_tags": found.cut_tags,
        "labels_from": scanned.plan.labels,
        "cue_sheets": found.sheets.to_wire(),
        "seconds": RunState.read(home, scanned.plan.run_id).seconds,
    }


def _scanned(scanned: "ScannedRun") -> dict[str, int]:
    """Return how many files were scanned, and how many of them lack a label, group or fold that was asked for."""
    found = scanned.found
    without = {"unlabelled": found.unlabelled, "ungrouped": found.ungrouped, "unfolded": found.unfolded}
    return {"scanned": found.files, **{name: count for name, count in without.items() if count}}


def _observations(scanned: "ScannedRun") -> dict[str, Any]:
    """Return what the tables of labels have in common with the files, and what is odd in the library."""
    found = scanned.found
    tables = {"tables": [table.to_wire() for table in found.tables]} if found.tables else {}
    return {**tables, "notes": list(found.observations)} if found.observations else tables


def unlabelled_files(home: Home, run_id: str) -> list[str]:
    """Return the paths of the files that a scan found no label for, in its order."""
    ledger = home.ledger
    return [
        track.path for shard in ledger.shards(run_id) for track in ledger.shard(run_id, shard) if track.label is None
    ]


def _missed(scanned: "ScannedRun") -> dict[str, Any]:
    """Return what a scan could not read, with the reasons, and what it left out."""
    found = scanned.found
    return {"unreadable": list(found.unreadable), "left_out": found.left_out.to_wire()}


def _label_findings(scanned: "ScannedRun") -> dict[str, Any]:
    """Return which labels are nearly the same or look like several, and what the vocabulary folded."""
    return scanned.found.label_findings.to_wire()


def _learned(home: Home, run_id: str, report: EvaluationReport) -> dict[str, Any]:
    from pipeline.learning.search.ranking import pace, rank

    planned = home.ledger.study(run_id)
    outcomes = home.ledger.outcomes(run_id)
    counts = Counter(outcome.state for outcome in outcomes)
    own = planned.own(outcomes) if planned is not None else outcomes
    speed = pace(own, trials_wall_s(home.ledger, run_id))
    manifest, split = study.dataset_and_split(home, run_id)
    return {
        "trials": {
            "requested": len(planned.indices) if planned is not None else 0,
            "completed": counts["completed"],
            "failed": counts["failed"],
            **({"skipped": counts["skipped"]} if counts["skipped"] else {}),
        },
        **_resumption(planned),
        "search": {
            "strategy": planned.strategy if planned is not None else "random",
            "objective": home.ledger.plan(run_id).recipe.search.objective,
            "best": [row.to_wire() for row in rank(outcomes)[:BEST]],
            **({} if speed is None else {**speed.to_wire(), "speed_up": round(speed.speed_up, 3)}),
        },
        "model": {"version": report.model.version, "family": report.model.family, "path": report.model.path},
        **_champion(home, report.model.version),
        **_tracked(home, run_id),
        **_copies(home, run_id, manifest, split),
        "scores": {
            "of": report.scored,
            "validation": _scores(report.validation),
            "test": _scores(report.test),
            "segments": {family: _scores(scores) for family, scores in report.segments.items()},
        },
        "baseline": report.test.majority_share,
        "warnings": [caution.to_wire() for caution in report.cautions],
        "answers": _answers(report),
        "leakage": _leakage(report),
        "split": {
            "strategy": split.strategy,
            "groups": split.groups,
            "seed": split.seed,
            "sizes": _sizes(split, report.row_sides),
            **_torn(split, report.row_sides),
            "excluded": len(manifest.excluded),
            "duplicates": {
                "same": sum(len(found.tracks) for found in split.duplicates if found.kind == "same"),
                "near": sum(len(found.tracks) for found in split.duplicates if found.kind == "near"),
            },
            "notes": list(split.notes),
        },
    }


def _resumption(study: StudyPlan | None) -> dict[str, Any]:
    """Return the run whose trials were taken over, and how many; nothing for a study that goes on with none."""
    if study is None or not study.continues:
        return {}
    return {"continues": study.continues, "taken_over": len(study.taken_over)}


def _champion(home: Home, version: str) -> dict[str, Any]:
    """Return whether a model became the champion, and which one is it."""
    verdict, champion = home.champions.verdict(version), home.champions.current()
    if verdict is None:
        return {}
    return {
        "verdict": {"state": verdict.state, "reason": verdict.reason, "champion": champion and champion.version},
    }


def _tracked(home: Home, run_id: str) -> dict[str, Any]:
    """Return the MLflow run that records a run; nothing where none should."""
    tracked = home.ledger.mlflow_record(run_id)
    return {"mlflow": tracked.to_wire()} if tracked is not None else {}


def _copies(home: Home, run_id: str, manifest: DatasetManifest, split: Split) -> dict[str, Any]:
    """Return how many altered copies the recipe wants, the store has, and were learned from; else nothing.

    Those of tracks that validate or test are not learned from.
    """
    recipe = home.ledger.plan(run_id).recipe
    augment = recipe.augment
    if augment is None:
        return {}
    stored, requested = manifest.copies(augment)
    learned, _ = manifest.copies(augment, split.learned(refit=recipe.search.refit))
    return {"copies": {"requested": requested, "stored": stored, "learned": learned}}


def _scores(scores: Scores) -> dict[str, Any]:
    wire = scores.to_wire()
    return {"classes_scored": classes_scored(scores)} | {
        name: wire[name]
        for name in ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "top2", "n", "per_class")
    }


def _answers(report: EvaluationReport) -> dict[str, Any] | None:
    """Return what calibration and threshold do on the test; None for a report of an older chordal."""
    found = report.calibration
    if found is None:
        return None
    return {
        "temperature": found.delivered.temperature,
        "threshold": found.delivered.threshold,
        "coverage": found.coverage,
        "accuracy": found.accuracy,
        "asked": found.target_accuracy,
        "ece_before": found.before.ece,
        "ece_after": found.after.ece,
    }


def _leakage(report: EvaluationReport) -> dict[str, Any] | None:
    """Return what the sentinel found; None for a report of an older chordal."""
    found = report.sentinel
    if found is None:
        return None
    return {
        "model": found.family,
        "random_rows": found.random.accuracy if found.random else None,
        "neighbours_together": found.neighbours.accuracy if found.neighbours else None,
        "whole_groups": found.honest.accuracy if found.honest and found.knows_groups else None,
        "is_stand_in": not found.is_winner,
        "gap": found.gap.gap if found.gap and found.knows_groups else None,
        "knows_groups": found.knows_groups,
    }


def _sizes(split: Split, rows: RowSides | None) -> dict[str, dict[str, int]]:
    """Return how many tracks, or rows where those were split, are on each side."""
    if rows is not None:
        return {"rows": {"train": rows.train, "validation": rows.validation, "test": rows.test}}
    return {
        part.name: {"train": len(part.train), "validation": len(part.validation), "test": len(part.test)}
        for part in split.partitions
    }


def _torn(split: Split, rows: RowSides | None) -> dict[str, int | None]:
    """Return how many tracks have rows on several sides, where rows were split; None where nobody counted."""
    if split.strategy != "rows":
        return {}
    return {"torn": rows.torn if rows is not None else None}


def _existing(path: Path) -> str | None:
    return str(path) if path.exists() else None


def show_summary(summary: dict[str, Any]) -> None:
    """Print a summary for a person on standard output, then those of the recipes that followed.

    Of a scan that was to list the files without a label, these alone are printed, a path on each line.
    """
    if "unlabelled_files" in summary:
        for path in summary["unlabelled_files"]:
            sys.stdout.write(f"{printable(path)}\n")
        return
    show_facts(summary_lines(summary))
    if "then" in summary:
        show_summary(summary["then"])
