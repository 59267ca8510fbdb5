"""The plan of a run: written once at its start, read by every task of it."""

from typing import Literal

from pipeline.plans.recipe import Recipe
from pipeline.plans.scan_rules import ScanRules
from pipeline.wire import Value

Priority = Literal["high", "normal", "low"]
"""Whose tasks go first where several runs share workers."""


Purpose = Literal["library", "predict"]
"""What a run is for: a library that is learned from, or files to predict. The latter has no labels, is not recovered
when its command dies, and is deleted after a while."""


class RunPlan(Value, frozen=True, kw_only=True):
    """The plan of one run, as stored in `runs/<run_id>/plan.json`."""

    run_id: str
    command: tuple[str, ...]
    """The command line that started it, to be shown and repeated."""
    libraries: tuple[str, ...]
    recipe: Recipe
    labels: str
    groups: str | None
    folds: str | None
    seed: int
    sequence: int
    """Scan sequence of the run, higher than that of every run before it."""
    created: str
    """ISO 8601, UTC."""
    extract: bool = True
    """Whether files that the store lacks are extracted."""
    learn: bool = True
    """Whether trials follow when the last shard is sealed."""
    max_duration_s: float = 4 * 3600.0
    priority: Priority = "normal"
    purpose: Purpose = "library"
    chunk_s: float | None = None
    """Files longer than this are also extracted chunk by chunk, each as if it were a file; None cuts nothing."""
    against: str | None = None
    """The champion whose held-out tracks stay held out, so that the new model can be compared with it."""
    tracking: str | None = None
    """Address of the MLflow that the run is recorded in when it has learned; None for none."""
    rules: ScanRules = ScanRules()
    versions: dict[str, str] = {}


class ShardSummary(Value, frozen=True, kw_only=True):
    """What became of the files of one sealed shard."""

    shard: int
    extracted: int = 0
    unchanged: int = 0
    failed: int = 0
    audio_s: float = 0.0
    retagged: int = 0
    """How many of the unchanged have other tags around the same sound."""
