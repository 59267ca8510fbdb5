"""The manifest of a study from a scan and a store, and the rows of its tracks in memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.arrays import Bool, Float32, Int64
from pipeline.errors import UsageError
from pipeline.features.spec import FeatureRows
from pipeline.learning.dataset.manifests import AugmentedCopy, DatasetManifest, DatasetTrack, ExcludedTrack
from pipeline.learning.dataset.soundness import check_rows
from pipeline.library.tracks import ScannedTrack, TrackRecord
from pipeline.plans.augmentation import AugmentPlan, variations
from pipeline.text import printable

_TRACKS_PER_READ = 512


class RowSource(Protocol):
    """The part of a store that learning reads; a snapshot of the feature store has it."""

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return the rows of one family for each content hash, in the order of the hashes."""
        ...

    def record(self, track_id: str) -> TrackRecord | None:
        """Return the record of a track, or None when it was never extracted."""
        ...

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return the keys of the families stored for a content hash."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one family of several tracks.

    `x` has shape (rows, *row_shape), float32, all finite; `owner` (rows,) is each row's track as a position in
    `DatasetManifest.tracks`; `is_copy` (rows,) marks the rows of augmented copies; `dropped`
    counts the rows left out because a value was NaN or infinite.
    """

    x: Float32
    owner: Int64
    is_copy: Bool
    dropped: int = 0

    def select(self, positions: Sequence[int], *, copies: bool = False) -> "Rows":
        """Return the rows of some tracks only; with `copies`, for training, those of their augmented copies too."""
        chosen = np.isin(self.owner, np.asarray(positions, dtype=np.int64))
        if not copies:
            chosen &= ~self.is_copy
        return Rows(x=self.x[chosen], owner=self.owner[chosen], is_copy=self.is_copy[chosen])

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
    """Return the manifest of every scanned track with a label and rows of all families.

    `families` maps family names to their keys in the store; with `augment`, the copies of a track that have
    all families are listed with it. Tracks that cannot be used are listed with the reason, rows that cannot with
    track and column.
    Raises `UsageError` when no classifier can be trained on the rest: nothing usable, or one class.
    """
    usable: dict[str, DatasetTrack] = {}
    excluded: dict[str, ExcludedTrack] = {}
    for track in scanned:
        result = _admit(track, source, families, augment)
        if isinstance(result, DatasetTrack):
            usable[track.track_id] = result
        else:
            excluded[track.track_id] = ExcludedTrack(path=track.path, reason=result, label=track.label)
    listed = sorted(usable.values(), key=lambda track: (track.path, track.track_id))
    soundness = check_rows(listed, families, source)
    for position, reason in soundness.unusable.items():
        track_ = listed[position]
        excluded[track_.track_id] = ExcludedTrack(path=track_.path, reason=reason, label=track_.label)
    tracks = tuple(track for position, track in enumerate(listed) if position not in soundness.unusable)
    _check_classes(tracks, tuple(excluded.values()))
    return DatasetManifest(
        run_id=run_id,
        families=dict(families),
        classes=tuple(sorted({track.label for track in tracks})),
        tracks=tracks,
        excluded=tuple(sorted(excluded.values(), key=lambda track: track.path)),
        flaws=soundness.flaws,
        excluded_flaws=soundness.unusable_flaws,
        constant=soundness.constant,
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

    Only these tracks are read from the source, and the augmented copies of those in `copies_of`. Rows with NaN or
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
    requests = [(position, tracks[position].content_hash, False) for position in originals]
    requests += [
        (position, copy.content_hash, True) for position in sorted(copies_of) for copy in tracks[position].copies
    ]
    values: list[Float32] = []
    counts: list[int] = []
    dropped = 0
    for first in range(0, len(requests), _TRACKS_PER_READ):
        hashes = [content for _, content, _ in requests[first : first + _TRACKS_PER_READ]]
        for rows in source.rows(manifest.families[family], hashes):
            sound = np.isfinite(rows.values.reshape(len(rows), -1)).all(axis=1) if len(rows) else np.zeros(0, bool)
            values.append(np.asarray(rows.values if sound.all() else rows.values[sound], dtype=np.float32))
            counts.append(len(values[-1]))
            dropped += len(rows) - counts[-1]
    if not any(counts):
        raise UsageError(
            f"feature family {printable(family)} has no usable row in {len(originals)} tracks ({dropped} rows dropped "
            "for NaN or infinite values); choose another family in the recipe, or other tracks"
        )
    return Rows(
        x=np.concatenate([rows for rows in values if len(rows)]),
        owner=np.repeat(np.array([position for position, _, _ in requests], np.int64), counts),
        is_copy=np.repeat(np.array([is_copy for _, _, is_copy in requests], np.bool_), counts),
        dropped=dropped,
    )


def _admit(
    track: ScannedTrack, source: RowSource, families: Mapping[str, str], augment: AugmentPlan | None
) -> DatasetTrack | str:
    """Return the track of the dataset, or the reason for its exclusion."""
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
        album=track.file_path if track.part is not None else "",
        copies=tuple(
            AugmentedCopy(content_hash=key, variation=variation)
            for variation in variations(augment, record.content_hash)
            if source.families_of(key := variation.content_key(record.content_hash)) >= set(families.values())
        ),
    )


def _check_classes(tracks: Sequence[DatasetTrack], excluded: Sequence[ExcludedTrack]) -> None:
    """Raise `UsageError` for tracks that no classifier can be trained on."""
    if not tracks:
        if not excluded:
            raise UsageError("no track was found to learn from; name a folder with audio files")
        reasons = Counter(track.reason.partition(":")[0] for track in excluded)
        words = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3))
        raise UsageError(
            f"none of {len(excluded)} tracks can be learned from ({words}); "
            "see --labels for how labels are found, and `chordal failures` for files without features"
        )
    counts = Counter(track.label for track in tracks)
    if len(counts) == 1:
        only = printable(tracks[0].label)
        raise UsageError(
            f"all {len(tracks)} labelled tracks are of one class, {only}; a classifier needs at least two: "
            "add tracks of another class, or choose other --labels"
        )


def check_lost_classes(manifest: DatasetManifest) -> None:
    """Raise `UsageError` naming the classes none of whose labelled tracks can be learned from, and the mend."""
    kept = set(manifest.classes)
    lost: dict[str, Counter[str]] = {}
    for track in manifest.excluded:
        if track.label is not None and track.label not in kept:
            lost.setdefault(track.label, Counter())[track.reason] += 1
    if not lost:
        return
    label, reasons = next(iter(sorted(lost.items())))
    more = f", and so of {len(lost) - 1} other classes" if len(lost) > 1 else ""
    raise UsageError(
        f"class {printable(label)}: none of its {sum(reasons.values())} tracks can be learned from "
        f"({printable(reasons.most_common(1)[0][0])}){more}; mend them, or --leave-out-classes learns the others"
    )
