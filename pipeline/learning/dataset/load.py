"""From a scan and a store to what a study learns from: the list of its tracks, and their rows in memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.arrays import Bool, Float32, Int64
from pipeline.errors import UsageError
from pipeline.features.spec import FeatureRows
from pipeline.learning.dataset.manifests import AugmentedCopy, DatasetManifest, DatasetTrack, ExcludedTrack
from pipeline.learning.dataset.soundness import look_through
from pipeline.library.tracks import ScannedTrack, TrackRecord
from pipeline.plans.augmentation import AugmentPlan, variations
from pipeline.text import printable

_TRACKS_PER_READ = 512


class RowSource(Protocol):
    """What learning needs of a store; a snapshot of the feature store is one."""

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return the rows of one family for each content hash, in the order asked."""
        ...

    def record(self, track_id: str) -> TrackRecord | None:
        """Return what is known of a track, or None when it was never extracted."""
        ...

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content hash."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one family of several tracks.

    `x` has shape (rows, *row_shape), float32, all finite; `owner` (rows,) is each row's track as a position in
    `DatasetManifest.tracks`; `copied` (rows,) tells which rows are those of a track's augmented copies; `dropped`
    counts the rows left out because a value was NaN or infinite.
    """

    x: Float32
    owner: Int64
    copied: Bool
    dropped: int = 0

    def of(self, positions: Sequence[int], *, copies: bool = False) -> "Rows":
        """Return the rows of some tracks only; those of their augmented copies when asked, for training."""
        chosen = np.isin(self.owner, np.asarray(positions, dtype=np.int64))
        if not copies:
            chosen &= ~self.copied
        return Rows(x=self.x[chosen], owner=self.owner[chosen], copied=self.copied[chosen])

    def labels(self, manifest: DatasetManifest) -> Int64:
        """Return the class index of each row, shape (rows,): its track's label."""
        return label_indices(manifest)[self.owner]


def label_indices(manifest: DatasetManifest) -> Int64:
    """Return the class index of each track of a manifest, shape (tracks,)."""
    index = {name: position for position, name in enumerate(manifest.classes)}
    return np.array([index[track.label] for track in manifest.tracks], dtype=np.int64)


def build_manifest(
    run_id: str,
    scanned: Iterable[ScannedTrack],
    source: RowSource,
    families: Mapping[str, str],
    augment: AugmentPlan | None = None,
) -> DatasetManifest:
    """Return what can be learned from: every scanned track with a label and rows of all families.

    `families` maps family names to their keys in the store; with `augment`, those of its copies of a track that have
    all families stand beside the track. Tracks that cannot be used are listed with the reason, rows that cannot with
    track and column.
    Raises `UsageError` when no classifier can be made of what is left: nothing usable, or one class.
    """
    usable: dict[str, DatasetTrack] = {}
    excluded: dict[str, ExcludedTrack] = {}
    for track in scanned:
        found = _admit(track, source, families, augment)
        if isinstance(found, DatasetTrack):
            usable[track.track_id] = found
        else:
            excluded[track.track_id] = ExcludedTrack(path=track.path, reason=found)
    listed = sorted(usable.values(), key=lambda track: (track.path, track.track_id))
    found_out = look_through(listed, families, source)
    for position, reason in found_out.hopeless.items():
        excluded[listed[position].track_id] = ExcludedTrack(path=listed[position].path, reason=reason)
    tracks = tuple(track for position, track in enumerate(listed) if position not in found_out.hopeless)
    _check_classes(tracks, tuple(excluded.values()))
    return DatasetManifest(
        run_id=run_id,
        families=dict(families),
        classes=tuple(sorted({track.label for track in tracks})),
        tracks=tracks,
        excluded=tuple(sorted(excluded.values(), key=lambda track: track.path)),
        flaws=found_out.flaws,
        constant=found_out.constant,
    )


def load_rows(
    manifest: DatasetManifest,
    family: str,
    source: RowSource,
    positions: Sequence[int] | None = None,
    *,
    copies_of: Sequence[int] = (),
) -> Rows:
    """Return the rows of a family (by name) for the tracks at some positions, or for all tracks.

    Only these tracks are asked of the source, and the augmented copies of those in `copies_of`. Rows with NaN or
    infinite values are dropped and counted.
    Raises `UsageError` when the manifest lacks the family or not one row is left.
    """
    if family not in manifest.families:
        raise UsageError(
            f"feature family {printable(family)} is not in the dataset (it has {', '.join(manifest.families)}); "
            "extract it first, or correct the recipe's models.features"
        )
    tracks = manifest.tracks
    originals = range(len(tracks)) if positions is None else sorted(positions)
    asked = [(position, tracks[position].content_hash, False) for position in originals]
    asked += [(position, copy.content_hash, True) for position in sorted(copies_of) for copy in tracks[position].copies]
    values: list[Float32] = []
    kept: list[int] = []
    dropped = 0
    for first in range(0, len(asked), _TRACKS_PER_READ):
        hashes = [content for _, content, _ in asked[first : first + _TRACKS_PER_READ]]
        for rows in source.rows(manifest.families[family], hashes):
            sound = np.isfinite(rows.values.reshape(len(rows), -1)).all(axis=1) if len(rows) else np.zeros(0, bool)
            values.append(np.asarray(rows.values if sound.all() else rows.values[sound], dtype=np.float32))
            kept.append(len(values[-1]))
            dropped += len(rows) - kept[-1]
    if not any(kept):
        raise UsageError(
            f"feature family {printable(family)} has no usable row in {len(originals)} tracks ({dropped} rows dropped "
            "for NaN or infinite values); choose another family in the recipe, or other tracks"
        )
    return Rows(
        x=np.concatenate([rows for rows in values if len(rows)]),
        owner=np.repeat(np.array([position for position, _, _ in asked], np.int64), kept),
        copied=np.repeat(np.array([copied for _, _, copied in asked], np.bool_), kept),
        dropped=dropped,
    )


def _admit(
    track: ScannedTrack, source: RowSource, families: Mapping[str, str], augment: AugmentPlan | None
) -> DatasetTrack | str:
    """Return the track as one to learn from, or the reason why it is none."""
    if track.label is None:
        return "no label"
    record = source.record(track.track_id)
    if record is None or record.mark is not None:
        return "not extracted"
    if record.failure is not None:
        return f"{record.failure.kind}: {record.failure.reason}"
    stored = source.families_of(record.content_hash)
    for name, key in families.items():
        if key not in stored:
            failure = record.family_failures.get(key)
            why = f"{failure.kind}: {failure.reason}" if failure else "not extracted"
            return f"no {name} features ({why})"
    return DatasetTrack(
        track_id=track.track_id,
        content_hash=record.content_hash,
        path=track.path,
        label=track.label,
        group=track.group,
        fold=track.fold,
        copies=tuple(
            AugmentedCopy(content_hash=key, variation=variation)
            for variation in variations(augment, record.content_hash)
            if source.families_of(key := variation.content_key(record.content_hash)) >= set(families.values())
        ),
    )


def _check_classes(tracks: Sequence[DatasetTrack], excluded: Sequence[ExcludedTrack]) -> None:
    """Refuse what no classifier can be made of."""
    if not tracks:
        if not excluded:
            raise UsageError("no track was found to learn from; name a folder with audio files")
        reasons = Counter(track.reason.partition(":")[0] for track in excluded)
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3))
        raise UsageError(
            f"none of {len(excluded)} tracks can be learned from ({told}); "
            "see --labels for how labels are found, and `chordal failures` for files without features"
        )
    counts = Counter(track.label for track in tracks)
    if len(counts) == 1:
        only = printable(tracks[0].label)
        raise UsageError(
            f"all {len(tracks)} labelled tracks are of one class, {only}; a classifier needs at least two: "
            "add tracks of another class, or choose other --labels"
        )
