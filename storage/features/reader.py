"""A home for people who want its numbers: tracks, labels, columns with units, rows, tables, batches.

    features = open_features("chordal-home")
    table = features.table("loudness").to_pandas()

What is seen is the store as it was when it was opened. Labels, groups and folds are those of the newest scans.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Int32
from pipeline.errors import UsageError
from pipeline.features.registry import family as registered
from pipeline.features.spec import FeatureSpec
from pipeline.library.tracks import TrackRecord
from pipeline.text import printable
from storage import durable
from storage.features.labels import LabelEntry, TrackLabels, read_labels
from storage.features.rows import Track, TrackRows
from storage.filestore.format.codec import Ids, ids, pack
from storage.filestore.layout import Layout
from storage.filestore.rows.extents import Extents, locate
from storage.filestore.rows.pieces import blocks
from storage.filestore.store import FileFeatureStore
from storage.filestore.store_mark import find_layout
from storage.ledger.runs import RunLedger

if TYPE_CHECKING:
    import pyarrow as pa

    from storage.features.batches import FeatureBatches

BLOCK_BYTES = 8 << 20
"""How much is read at once."""


def open_features(home: str | os.PathLike[str]) -> "Features":
    """Return the features of a home, or of a store's folder, which then has no labels.

    Raises `UsageError` naming the folder and the reason when there is no store that can be opened.
    """
    return Features(find_layout(store_of(home)), RunLedger(Path(home).expanduser().absolute()))


def store_of(home: str | os.PathLike[str]) -> Path:
    """Return the folder of the store of a home; that of a store is its own.

    Raises `UsageError` naming the folder and the reason when there is no store that can be opened.
    """
    folder = Path(home).expanduser().absolute()
    root = folder if (folder / "store.json").exists() else folder / "store"
    find_layout(root)
    return root


class Features:
    """The features of a home as they were at one moment; holds no open file. Made by `open_features`."""

    def __init__(self, layout: Layout, ledger: RunLedger) -> None:
        self.layout = layout
        self._ledger = ledger
        self._snapshot = FileFeatureStore(layout).snapshot()

    @cached_property
    def specs(self) -> tuple[FeatureSpec, ...]:
        """The specs of the families stored, with columns, units and parameters, by name and version."""
        with durable.store_errors(self.layout.root, "be listed"):
            names = durable.names_in(self.layout.root / "families")
        sets = [self.layout.specs_in(name.removesuffix(".json")) for name in names if name.endswith(".json")]
        found = {spec.key: spec for known in sets for spec in known}
        return tuple(sorted(found.values(), key=lambda spec: (spec.name, spec.version, spec.key)))

    def spec(self, family: str) -> FeatureSpec:
        """Return the spec of a family by its name or key; of several with one name, that of the installed family.

        Raises `UsageError` naming what there is.
        """
        found = [spec for spec in self.specs if family in {spec.name, spec.key}]
        if len(found) > 1:
            found = [spec for spec in found if spec.key == _installed(family)] or found
        if len(found) == 1:
            return found[0]
        if found:
            keys = ", ".join(spec.key for spec in found)
            raise UsageError(f"feature family {printable(family)}: stored in {len(found)} versions; name one of {keys}")
        stored = ", ".join(dict.fromkeys(spec.name for spec in self.specs)) or "none"
        raise UsageError(f"feature family {printable(family)}: not stored here; stored are: {stored}")

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Every file that is not deleted, failed ones included, by path."""
        return tuple(sorted(self.each_track(), key=lambda track: os.fsencode(track.path)))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted; a class index is a position here."""
        return tuple(sorted({track.label for track in self.tracks if track.label is not None}))

    def each_track(self) -> Iterator[Track]:
        """Yield the same as `tracks`, in the store's order and without holding them."""
        nothing = LabelEntry()
        for record in self._snapshot.records():
            if record.mark != "deleted" and not record.copy_of:
                yield _track(record, self.labels.of(record.track_id) or nothing)

    @cached_property
    def labels(self) -> TrackLabels:
        """What the newest scans say of all tracks, by track id; quick, as no record is read."""
        return read_labels(self._ledger)

    def with_family(self, family: str) -> tuple[Track, ...]:
        """Return the tracks that have rows of a family, by path."""
        key = self.spec(family).key
        return tuple(track for track in self.tracks if key in self._snapshot.families_of(track.content_hash))

    def rows(self, family: str, tracks: Iterable[Track] | None = None) -> TrackRows:
        """Return the rows of a family, of all tracks that have it or of some; all of them in memory.

        Raises `StoreError` when a track has no such rows, or naming file and content whose bytes are damaged.
        """
        spec = self.spec(family)
        chosen = tuple(self.with_family(family) if tracks is None else tracks)
        extents = self._extents(spec, chosen)
        n = int(extents.rows.sum())
        values = np.empty((n, *spec.row_shape), np.float32)
        start_s, channel = np.empty(n, np.float32), np.empty(n, np.int8)
        begin = 0
        for _, rows in blocks(self.layout, extents, spec, block_bytes=BLOCK_BYTES):
            into = slice(begin, begin + len(rows))
            values[into], start_s[into], channel[into] = rows.values, rows.start_s, rows.channel
            begin = into.stop
        return TrackRows(
            spec=spec,
            tracks=chosen,
            values=values,
            start_s=start_s,
            channel=channel,
            track=np.repeat(np.arange(len(chosen)), extents.rows),
        )

    def table(self, family: str, tracks: Iterable[Track] | None = None) -> "pa.Table":
        """Return the rows of a family as an Arrow table, for pandas (`.to_pandas()`), Polars and DuckDB.

        Columns: path, track_id, label, group, fold, start_s, channel, then the family's own with their unit in the
        field's metadata; rows that are matrices stand in one column of fixed-size lists. The schema's metadata tells
        the spec.
        """
        from storage.features.tables import table_of

        return table_of(self.rows(family, tracks))

    def batches(
        self,
        family: str,
        tracks: Iterable[Track] | None = None,
        *,
        batch: int = 64,
        seed: int = 1,
        window_bytes: int = 32 << 20,
        classes: Sequence[str] | None = None,
    ) -> "FeatureBatches":
        """Return a Keras dataset of shuffled batches (rows, class indices) that is never in memory as a whole.

        By default of all labelled tracks that have the family; `classes`, by default all labels, gives the indices.
        `window_bytes` is what is shuffled at once and held in memory. See `FeatureBatches` and `RowStream`.
        Raises `UsageError` when there are no rows, or a track has no label or another than those in `classes`.
        """
        from pipeline.learning.models.runtime import prepare

        prepare()
        from storage.features.batches import FeatureBatches
        from storage.features.row_stream import RowStream

        spec = self.spec(family)
        chosen = tuple(
            [track for track in self.with_family(family) if track.label is not None] if tracks is None else tracks
        )
        known = tuple(self.classes if classes is None else classes)
        index = {label: at for at, label in enumerate(known)}
        for track in chosen:
            if track.label not in index:
                told = "no label" if track.label is None else f"label {printable(track.label)}, which is not asked for"
                raise UsageError(f"track {printable(track.path)}: has {told}; leave it out")
        labels: Int32 = np.array([index[track.label or ""] for track in chosen], dtype=np.int32)
        stream = RowStream(self.layout, spec, _contents(chosen), seed=seed, window_bytes=window_bytes)
        if not stream.rows:
            raise UsageError(f"feature family {spec.name}: no rows in {len(chosen)} labelled tracks to make batches of")
        return FeatureBatches(stream, labels, known, batch=batch, name=spec.name)

    def _extents(self, spec: FeatureSpec, tracks: Sequence[Track]) -> Extents:
        return locate(self.layout, spec.key, _contents(tracks))


def _contents(tracks: Sequence[Track]) -> Ids:
    for track in tracks:
        if not track.content_hash:
            raise UsageError(f"track {printable(track.path)}: could not be read, so it has no rows; leave it out")
    return ids([track.content_hash for track in tracks]) if tracks else np.zeros(0, "S16")


def pack_contents(tracks: Iterable[Track]) -> Ids:
    """Return the contents of tracks, zeros for those that could not be read, in 16 bytes each."""
    packed = bytearray()
    for track in tracks:
        packed += pack(track.content_hash)
    return np.frombuffer(bytes(packed), "S16")


def _installed(name: str) -> str:
    try:
        return registered(name).spec.key
    except UsageError:
        return ""


def _track(record: TrackRecord, said: LabelEntry) -> Track:
    return Track(
        track_id=record.track_id,
        path=record.path,
        label=said.label,
        group=said.group,
        fold=said.fold,
        duration_s=record.duration_s,
        sample_rate_hz=record.sample_rate_hz,
        channels=record.channels,
        content_hash=record.content_hash,
        note=record.note,
        failure=record.failure,
    )
