"""When the stages of a run ended: by the modification times of their last documents."""

from collections.abc import Iterable
from pathlib import Path

from storage.ledger.runs import RunLedger


def stage_ends(ledger: RunLedger, run_id: str) -> dict[str, float]:
    """Return when a run was planned and when each stage so far ended, Unix seconds, in the order of the stages.

    Keys: `plan`, `scan`, `extract` (the last shard was sealed), `trials` (the last outcome was written), `final`.
    """
    folder = ledger.path(run_id)
    documents: dict[str, Iterable[Path]] = {
        "plan": [folder / "plan.json"],
        "scan": [folder / "scan.json"],
        "extract": (folder / "sealed").glob("*.json"),
        "trials": (folder / "outcomes").glob("*.json"),
        "final": [folder / "report.json"],
    }
    ends = {stage: [path.stat().st_mtime for path in paths if path.exists()] for stage, paths in documents.items()}
    return {stage: max(times) for stage, times in ends.items() if times}


def trials_wall_s(ledger: RunLedger, run_id: str) -> float | None:
    """Return the seconds from the start of a run's first trial to the end of its last; None before one has ended."""
    folder = ledger.path(run_id)
    starts = [path.stat().st_mtime for path in (folder / "starts").glob("*.json")]
    ends = [path.stat().st_mtime for path in (folder / "outcomes").glob("*.json")]
    return max(ends) - min(starts) if starts and ends else None
