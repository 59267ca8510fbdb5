"""The study of a run: its dataset manifest, split and planned trials."""

from collections.abc import Iterator

from pipeline.errors import StoreError, UsageError
from pipeline.features.registry import family
from pipeline.learning.dataset.load import build_manifest, check_lost_classes
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.search.plan import plan_study
from pipeline.learning.splits import make_split
from pipeline.learning.study.trials import StudyPlan
from pipeline.learning.training.held_out import TrainingExposure, keep_held_out
from pipeline.library import imported
from pipeline.library.tracks import ScannedTrack
from storage.home import Home
from workers.learning import oracle, promotion
from workers.learning.resumption import resumed


def scanned_tracks(home: Home, run_id: str) -> Iterator[ScannedTrack]:
    """Yield every file that the run's scan found, shard by shard."""
    for shard in home.ledger.shards(run_id):
        yield from home.ledger.shard(run_id, shard)


def create_study(home: Home, run_id: str) -> StudyPlan:
    """Write the run's dataset manifest, split and study, and return the study.

    Written once: a second call returns what the first wrote. Trials that do not depend on outcomes get their
    configurations here, so that only one process imports TensorFlow for a study of scikit-learn's models. Raises
    `UsageError` when the labelled tracks cannot be learned from or split.
    """
    ledger = home.ledger
    if (known := ledger.study(run_id)) is not None:
        return known
    plan = ledger.plan(run_id)
    families = {name: family(name).spec.key for name in plan.recipe.families}
    with home.store.hold() as snapshot:
        manifest = build_manifest(run_id, scanned_tracks(home, run_id), snapshot, families, plan.recipe.augment)
        if plan.recipe.training.lost_classes == "refuse":
            check_lost_classes(manifest)
        split = make_split(manifest, plan.recipe.split, seed=plan.seed, source=snapshot)
    if plan.against is not None:
        split = _with_held_out(home, manifest, split, plan.against)
    split = split.replace(notes=(*split.notes, *imported.split_notes(plan)))
    ledger.put_manifest(manifest)
    ledger.put_split(run_id, split)
    study = resumed(home, plan, plan_study(plan.recipe), manifest, split)
    for model in study.models:
        if model.oracle == "random" and model.trials:
            oracle.propose(home, run_id, study, model.trials[-1])
    ledger.put_study(run_id, study)
    return ledger.study(run_id) or study


def _with_held_out(home: Home, manifest: DatasetManifest, split: Split, version: str) -> Split:
    """Return a split that keeps aside what a champion was tested on."""
    if split.strategy == "rows":
        return split  # it holds out rows, not tracks
    try:
        champion = promotion.contender(home, version)
    except UsageError as error:
        return split.replace(notes=(*split.notes, f"its held-out tracks could not be kept aside: {error}"))
    return keep_held_out(manifest, split, TrainingExposure.of(champion.manifest, champion.split), name=version)


def unfinished_trials(home: Home, run_id: str) -> list[int]:
    """Return the indices of the trials without an outcome, ascending."""
    study = home.ledger.study(run_id)
    return sorted(set(study.indices if study else ()) - set(home.ledger.ended_trials(run_id)))


def dataset_and_split(home: Home, run_id: str) -> tuple[DatasetManifest, Split]:
    """Return what a run learns from and how it is split.

    Raises `StoreError` when the study has not been drawn up.
    """
    manifest, split = home.ledger.manifest(run_id), home.ledger.split(run_id)
    if manifest is None or split is None:
        raise StoreError(f"run {run_id}: its dataset or split is missing from the ledger")
    return manifest, split
