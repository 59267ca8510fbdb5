"""The orders to extract what the store does not have of a shard."""

from collections.abc import Sequence

from pipeline.library.tracks import ExtractTrack, ScannedTrack
from pipeline.plans.run import RunPlan
from storage import Snapshot
from workers.extraction.settled import augmentation, family_keys, is_settled


def orders_missing(plan: RunPlan, shard: int, tracks: Sequence[ScannedTrack], source: Snapshot) -> list[ExtractTrack]:
    """Return the orders for the files of a shard that the store does not have yet."""
    keys = family_keys(plan)
    missing = [
        track for track in tracks if not is_settled(track, source, keys, augmentation(plan, track), plan.chunk_s)
    ]
    return orders(plan, shard, missing)


def orders(plan: RunPlan, shard: int, tracks: Sequence[ScannedTrack]) -> list[ExtractTrack]:
    """Return the orders to extract some files of a shard."""
    return [
        ExtractTrack(
            run_id=plan.run_id,
            shard=shard,
            track_id=track.track_id,
            path=track.path,
            stamp=track.stamp,
            sequence=plan.sequence,
            families=plan.recipe.families,
            augment=augmentation(plan, track),
            chunk_s=plan.chunk_s,
            part=track.part,
            sheet=track.sheet,
        )
        for track in tracks
    ]
