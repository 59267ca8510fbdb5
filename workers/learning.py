"""What the learning tasks do: draw up the study, run one trial, train and evaluate the winner, register it, report."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import StoreError, UsageError
from pipeline.features.registry import family
from pipeline.learning import DatasetManifest, EvaluationReport, Split, SplitFacts, TrialOutcome, TrialSpec
from pipeline.tracks import ScannedTrack
from pipeline.versions import software_versions
from pipeline.wire import Value
from workers import gating, importing
from workers.context import Context, Doors
from workers.extracting import HOST


def scanned(context: Context, run_id: str) -> Iterator[ScannedTrack]:
    """Yield every file the run's scan found, shard by shard."""
    for shard in context.ledger.shards(run_id):
        yield from context.ledger.shard(run_id, shard)


def draw_up_study(context: Context, run_id: str) -> tuple[TrialSpec, ...]:
    """Write the run's dataset manifest, split and trials, and return the trials.

    Written once: a second call returns what the first wrote. Raises `UsageError` when the labelled tracks cannot
    be learned from or split.
    """
    from pipeline.datasets import build_manifest
    from pipeline.search import propose_trials
    from pipeline.splits import make_split

    ledger = context.ledger
    if (known := ledger.trials(run_id)) is not None:
        return known
    plan = ledger.plan(run_id)
    families = {name: family(name).spec.key for name in plan.recipe.families}
    manifest = build_manifest(run_id, scanned(context, run_id), context.store.snapshot(), families, plan.recipe.augment)
    split = make_split(manifest, plan.recipe.split, seed=plan.seed)
    if plan.against is not None:
        split = _held_out(context, manifest, split, plan.against)
    if importing.is_imported(plan.libraries):
        split = split.replace(notes=(*split.notes, importing.SPLIT_NOTE))
    ledger.put_manifest(manifest)
    ledger.put_split(run_id, split)
    ledger.put_trials(run_id, propose_trials(plan.recipe, run_id=run_id, seed=plan.seed))
    return ledger.trials(run_id) or ()


def _held_out(context: Context, manifest: DatasetManifest, split: Split, version: str) -> Split:
    """Return a split that keeps aside what a champion was tested on."""
    from pipeline.holding import Learned, keep_held_out

    try:
        champion = gating.contender(context, version)
    except UsageError as error:
        return split.replace(notes=(*split.notes, f"its held-out tracks could not be kept aside: {error}"))
    return keep_held_out(manifest, split, Learned.of(champion.manifest, champion.split), name=version)


def try_one(context: Context, run_id: str, index: int) -> TrialOutcome:
    """Run one trial and record how it ended; a trial that has ended is not run again."""
    from pipeline.training import run_trial

    ledger = context.ledger
    if (done := ledger.outcome(run_id, index)) is not None:
        return done
    spec = (ledger.trials(run_id) or ())[index]
    attempt = context.counters.attempt(run_id, f"trial-{index}")
    started = time.monotonic()
    if attempt > context.settings.attempts:
        reason = f"took its worker down or beyond {context.settings.learn_limit_s} s {attempt - 1} times"
        outcome = TrialOutcome(spec=spec, state="failed", reason=reason)
    else:
        manifest, split = study(context, run_id)
        with context.store.hold() as snapshot:
            outcome = run_trial(spec, ledger.plan(run_id).recipe, manifest, split, snapshot)
    outcome = outcome.replace(host=HOST, seconds=time.monotonic() - started)
    ledger.put_outcome(outcome)
    return ledger.outcome(run_id, index) or outcome


def study(context: Doors, run_id: str) -> tuple[DatasetManifest, Split]:
    """Return what a run learns from and how it is parted.

    Raises `StoreError` when the study has not been drawn up.
    """
    manifest, split = context.ledger.manifest(run_id), context.ledger.split(run_id)
    if manifest is None or split is None:
        raise StoreError(f"run {run_id}: its dataset or split is missing from the ledger")
    return manifest, split


def finish(context: Context, run_id: str) -> EvaluationReport:
    """Train the best configuration, read the test tracks once, register the model and write the report.

    Runs once: a second call returns the first one's report.
    """
    from pipeline.training import finish as train_winner

    ledger = context.ledger
    if (report := ledger.report(run_id)) is not None:
        return report
    plan = ledger.plan(run_id)
    manifest, split = study(context, run_id)
    folder = Path(tempfile.mkdtemp(prefix="model-", dir=ledger.path(run_id)))
    try:
        with context.store.hold() as snapshot:
            report = train_winner(
                plan.recipe,
                manifest,
                split,
                ledger.outcomes(run_id),
                snapshot,
                folder,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                seed=plan.seed,
            )
        draft = report.model.replace(
            recipe=plan.recipe.name,
            versions=software_versions(),
            metrics=metrics(report),
            split=SplitFacts.of(split),
        )
        documents: dict[str, Path | Value] = {
            name: ledger.path(run_id) / f"{name}.json" for name in ("plan", "dataset", "split")
        }
        documents["evaluation"] = report
        report = report.replace(model=context.registry.register(draft, folder, documents=documents))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ledger.put_report(report)
    return report


def metrics(report: EvaluationReport) -> dict[str, float]:
    """Return what a report says in numbers, by name."""
    return {
        "test_accuracy": report.test.accuracy,
        "test_macro_f1": report.test.macro_f1,
        "test_tracks": float(report.test.n),
        "validation_accuracy": report.validation.accuracy,
        "validation_macro_f1": report.validation.macro_f1,
        "validation_tracks": float(report.validation.n),
    }
