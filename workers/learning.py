"""What the learning tasks do: draw up the study, run one trial, train and evaluate the winner, register it, report."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.errors import StoreError, UsageError
from pipeline.features.registry import family
from pipeline.learning import EvaluationReport, SplitFacts, StudyPlan, TrialOutcome, TrialSpec
from pipeline.manifests import DatasetManifest, Split
from pipeline.tracks import ScannedTrack
from pipeline.versions import software_versions
from pipeline.wire import Value
from workers import gating, importing, memory, searching
from workers.context import Context, Doors
from workers.extracting import HOST


def scanned(context: Doors, run_id: str) -> Iterator[ScannedTrack]:
    """Yield every file the run's scan found, shard by shard."""
    for shard in context.ledger.shards(run_id):
        yield from context.ledger.shard(run_id, shard)


def draw_up_study(context: Doors, run_id: str) -> StudyPlan:
    """Write the run's dataset manifest, split and study, and return the study.

    Written once: a second call returns what the first wrote. Trials that do not depend on outcomes are handed out at
    once; so only one process imports TensorFlow for a study of scikit-learn's models. Raises `UsageError` when the
    labelled tracks cannot be learned from or split.
    """
    from pipeline.datasets import build_manifest
    from pipeline.search import plan_study
    from pipeline.splits import make_split

    ledger = context.ledger
    if (known := ledger.study(run_id)) is not None:
        return known
    plan = ledger.plan(run_id)
    families = {name: family(name).spec.key for name in plan.recipe.families}
    with context.store.hold() as snapshot:
        manifest = build_manifest(run_id, scanned(context, run_id), snapshot, families, plan.recipe.augment)
        split = make_split(manifest, plan.recipe.split, seed=plan.seed, source=snapshot)
    if plan.against is not None:
        split = _held_out(context, manifest, split, plan.against)
    split = split.replace(notes=(*split.notes, *importing.split_notes(plan)))
    ledger.put_manifest(manifest)
    ledger.put_split(run_id, split)
    drawn_up = plan_study(plan.recipe)
    for model in drawn_up.models:
        if model.oracle == "random" and model.trials:
            searching.hand_out(context, run_id, drawn_up, model.trials[-1])
    ledger.put_study(run_id, drawn_up)
    return ledger.study(run_id) or drawn_up


def _held_out(context: Doors, manifest: DatasetManifest, split: Split, version: str) -> Split:
    """Return a split that keeps aside what a champion was tested on."""
    from pipeline.holding import Learned, keep_held_out

    if split.strategy == "rows":
        return split  # it holds out rows, not tracks
    try:
        champion = gating.contender(context, version)
    except UsageError as error:
        return split.replace(notes=(*split.notes, f"its held-out tracks could not be kept aside: {error}"))
    return keep_held_out(manifest, split, Learned.of(champion.manifest, champion.split), name=version)


def try_one(context: Context, run_id: str, index: int) -> TrialOutcome | None:
    """Run one trial and record how it ended; a trial that has ended is not run again.

    Executions that ended before the process of an earlier attempt died are not run again either. None when there is
    no configuration for it until other trials have ended.
    """
    from pipeline.executions import reason_of
    from pipeline.training import run_trial

    ledger = context.ledger
    if (done := ledger.outcome(run_id, index)) is not None:
        return done
    spec = searching.ask(context, run_id, index)
    if spec == "wait":
        return None
    if spec == "exhausted":
        return _record(context, run_id, index, "skipped", "the search has no configuration left for it")
    attempt = ledger.start_trial(run_id, index)
    if attempt > context.settings.attempts:
        reason = (
            f"took its worker down {attempt - 1} times, or was killed with it; most often because memory ran out: "
            "see logs/"
        )
        return _record(context, run_id, index, "failed", reason, attempts=attempt - 1)
    manifest, split = study(context, run_id)
    logs = ledger.logs(run_id) / "tensorboard" / f"trial-{index:04d}"
    try:
        with memory.bounded(), context.store.hold() as snapshot:
            outcome = run_trial(
                spec,
                ledger.plan(run_id).recipe,
                manifest,
                split,
                snapshot,
                done=ledger.executions(run_id, index),
                keep=lambda execution: ledger.put_execution(run_id, execution),
                logs=logs,
            )
    except MemoryError as error:
        # Celery would end the whole worker over it.
        return _record(context, run_id, index, "failed", reason_of(error), attempts=attempt)
    ledger.put_outcome(outcome.replace(host=HOST, attempts=attempt))
    return ledger.outcome(run_id, index)


def lost_trial(context: Context, run_id: str, index: int, reason: str, *, is_timeout: bool) -> bool:
    """Say whether a trial whose task ended without an outcome should be tried again; if not, record why.

    Told by a worker's parent, which has killed the trial's process, or by a task that raised what it should not. One
    that hangs has the recipe's retries, one that was lost in another way the worker's attempts.
    """
    ledger = context.ledger
    begun = len(ledger.starts(run_id, index))
    if ledger.outcome(run_id, index) is not None or not begun:
        return False  # it has ended after all, or never got as far as a model: the sweep sees to it
    allowed = ledger.plan(run_id).recipe.search.retries + 1 if is_timeout else context.settings.attempts
    if begun < allowed:
        return True
    _record(context, run_id, index, "failed", reason, attempts=begun)
    return False


def unended(context: Doors, run_id: str) -> list[int]:
    """Return the indices of the trials without an outcome, ascending."""
    planned = context.ledger.study(run_id)
    return sorted(set(planned.indices if planned else ()) - set(context.ledger.ended_trials(run_id)))


def _record(
    context: Doors,
    run_id: str,
    index: int,
    state: Literal["failed", "skipped"],
    reason: str,
    *,
    attempts: int = 0,
) -> TrialOutcome:
    """Record the end of a trial that no model was fitted for to the end, and return how it ended."""
    ledger = context.ledger
    spec = ledger.trial(run_id, index) or _unknown(context, run_id, index)
    done = tuple(execution.replace(fits=()) for execution in ledger.executions(run_id, index))
    outcome = TrialOutcome(
        spec=spec,
        state=state,
        executions=done,
        seconds=sum(execution.seconds for execution in done),
        host=HOST,
        attempts=attempts,
        reason=reason,
    )
    ledger.put_outcome(outcome)
    return ledger.outcome(run_id, index) or outcome


def _unknown(context: Doors, run_id: str, index: int) -> TrialSpec:
    """Return what is known of a trial that was handed no configuration."""
    planned, plan = context.ledger.study(run_id), context.ledger.plan(run_id)
    if planned is None:
        raise StoreError(f"run {run_id}: its study is missing from the ledger")
    model = planned.models[planned.model_of(index)]
    return TrialSpec(
        run_id=run_id,
        index=index,
        family=model.family,
        features=model.features,
        hyperparameters={},
        seed=plan.seed + index,
    )


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
