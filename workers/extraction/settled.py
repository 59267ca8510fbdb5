"""Whether a run is done with a file: one rule for tasks, seals and scans.

A file is settled by a record of its stamp, a copy or chunk of it by one of its content, and either only when the store
accounts for every family of that content: its rows are stored, or known to be impossible.
"""

from collections.abc import Iterable
from typing import Any, Literal, TypeVar

from pipeline.extraction.derived import Derived, derived_of
from pipeline.features.registry import family
from pipeline.library.tracks import FileStamp, ScannedTrack, TrackRecord
from pipeline.plans.augmentation import AugmentPlan
from pipeline.plans.run import RunPlan
from storage import FeatureStore, Snapshot
from storage.rules import is_complete

AnyDerived = TypeVar("AnyDerived", bound=Derived[Any])


def family_keys(plan: RunPlan) -> frozenset[str]:
    """Return the store keys, with fingerprints, of every family the run's recipe needs."""
    return frozenset(family(name).spec.key for name in plan.recipe.families)


def augmentation(plan: RunPlan, track: ScannedTrack) -> AugmentPlan | None:
    """Return which augmented copies a run makes of a file: none of a file that nothing is learned from."""
    return plan.recipe.augment if track.label is not None else None


def is_settled(
    track: ScannedTrack,
    source: FeatureStore | Snapshot,
    keys: frozenset[str],
    augment: AugmentPlan | None = None,
    chunk_s: float | None = None,
) -> bool:
    """Tell whether the store has everything a run wants of a scanned file, its copies and chunks, or their failures."""
    record = source.record(track.track_id)
    return (
        record is not None
        and is_file_settled(record, track.stamp, keys, source)
        and not unsettled(derived_of(record, augment, chunk_s), keys, source)
    )


def is_file_settled(
    record: TrackRecord, stamp: FileStamp, keys: frozenset[str], source: FeatureStore | Snapshot
) -> bool:
    """Tell whether nothing is left to do for a file but perhaps for its copies and chunks."""
    return record.stamp.matches(stamp) and is_accounted_for(record, keys, source)


def unsettled(derived: Iterable[AnyDerived], keys: frozenset[str], source: FeatureStore | Snapshot) -> list[AnyDerived]:
    """Return the copies or chunks for which something is left to do."""
    return [each for each in derived if not _is_derived_settled(each, keys, source)]


def _is_derived_settled(each: Derived[Any], keys: frozenset[str], source: FeatureStore | Snapshot) -> bool:
    if not each.needs_record and keys <= source.families_of(each.content_hash):
        return True
    record = source.record(each.track_id)
    return record is not None and record.content_hash == each.content_hash and is_accounted_for(record, keys, source)


def is_accounted_for(record: TrackRecord, keys: frozenset[str], source: FeatureStore | Snapshot) -> bool:
    """Tell whether every family of a record's content is stored or known to be impossible."""
    return is_complete(record, keys, source.families_of(record.content_hash))


def outcome(record: TrackRecord, sequence: int) -> Literal["extracted", "unchanged", "failed"]:
    """Return what became of a settled file in the run of a sequence."""
    if record.failure is not None:
        return "failed"
    return "extracted" if record.sequence == sequence and not record.reused else "unchanged"


def is_retagged(record: TrackRecord, sequence: int) -> bool:
    """Return whether the run of a sequence found other tags around the sound of a file, and decoded nothing."""
    return record.retagged and record.sequence == sequence and outcome(record, sequence) == "unchanged"


def audio_s(record: TrackRecord) -> float:
    """Return the seconds of sound that count for a settled file: none of one that failed."""
    return 0.0 if record.failure is not None else record.duration_s
