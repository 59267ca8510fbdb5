"""Whether a run is done with a file: one rule for tasks, seals and scans."""

from typing import TYPE_CHECKING, Literal

from pipeline.features.registry import family
from pipeline.library.tracks import FileStamp, ScannedTrack, TrackRecord
from pipeline.plans.augmentation import AugmentPlan
from pipeline.plans.run import RunPlan
from storage.rules import accounted_for
from workers.extraction import derived
from workers.extraction.derived import unsettled_copies

if TYPE_CHECKING:
    from storage import FeatureStore, Snapshot


def family_keys(plan: RunPlan) -> frozenset[str]:
    """Return the store keys, with fingerprints, of every family the run's recipe needs."""
    return frozenset(family(name).spec.key for name in plan.recipe.families)


def copies_wanted(plan: RunPlan, track: ScannedTrack) -> AugmentPlan | None:
    """Return which augmented copies a run wants of a file: none of a file that nothing is learned from."""
    return plan.recipe.augment if track.label is not None else None


def is_settled(
    track: ScannedTrack,
    source: "FeatureStore | Snapshot",
    keys: frozenset[str],
    augment: AugmentPlan | None = None,
    chunk_s: float | None = None,
) -> bool:
    """Tell whether the store has everything a run wants of a scanned file, its copies and chunks, or their failures."""
    record = source.record(track.track_id)
    if record is None or not settled(record, track.stamp, keys, source.families_of(record.content_hash)):
        return False
    return not unsettled_copies(augment, record, keys, source) and not derived.unsettled_chunks(
        chunk_s, record, keys, source
    )


def outcome(record: TrackRecord, sequence: int) -> Literal["extracted", "unchanged", "failed"]:
    """Return what became of a settled file in the run of a sequence."""
    if record.failure is not None:
        return "failed"
    return "extracted" if record.sequence == sequence and not record.reused else "unchanged"


def settled(record: TrackRecord | None, stamp: FileStamp, keys: frozenset[str], stored: frozenset[str]) -> bool:
    """Tell whether nothing is left to do for a file: same stamp, and every family stored or known to be impossible."""
    return record is not None and record.stamp == stamp and accounted_for(record, keys, stored)
