"""Reading the features of a home: tracks, labels, columns with units, rows, tables, batches.

    features = open_features("chordal-home")
    table = features.table("loudness").to_pandas()

The features are those of the store when it was opened. Labels, groups and folds are those of the newest scans.
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
from storage.filestore.layout import Layout
from storage.filestore.rows.extents import Extents, locate
from storage.filestore.rows.pieces import blocks
from storage.filestore.store import FileFeatureStore
from storage.filestore.store_mark import find_layout
from storage.ids import Ids, ids
from storage.ledger.runs import RunLedger

if TYPE_CHECKING:
    import pyarrow as pa

    from storage.features.batches import FeatureBatches

BLOCK_BYTES = 8 << 20
"""How many bytes of rows are read at once."""


def open_features(home: str | os.PathLike[str]) -> "Features":
    """Return the features of a home, or of the folder of a store, which has no labels.

    Raises `UsageError` naming the folder and the reason when there is no store that can be opened.
    """
    return Features(find_layout(store_folder(home)), RunLedger(Path(home).expanduser().absolute()))


def store_folder(home: str | os.PathLike[str]) -> Path:
    """Return the folder of the store of a home; `home` may also be the folder of a store itself.

    Raises `UsageError` naming the folder and the reason when there is no store that can be opened.
    """
    folder = Path(home).expanduser().absolute()
    root = folder if os.path.exists(folder / "store.json") else folder / "store"  # noqa: PTH110 - raises nothing
    find_layout(root)
    return root


class Features:
    """The features of a home at one moment; holds no open file. Made by `open_features`."""

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
        by_key = {spec.key: spec for specs in sets for spec in specs}
        return tuple(sorted(by_key.values(), key=lambda spec: (spec.name, spec.version, spec.key)))

    def spec(self, family: str) -> FeatureSpec:
        """Return the spec of a family by its name or key; of several with one name, that of the installed family.

        Raises `UsageError` naming those stored when there is none, or no single one.
        """
        matches = [spec for spec in self.specs if family in {spec.name, spec.key}]
        if len(matches) > 1:
            matches = [spec for spec in matches if spec.key == _installed_key(family)] or matches
        if len(matches) == 1:
            return matches[0]
        if matches:
            keys = ", ".join(spec.key for spec in matches)
            raise UsageError(
                f"feature family {printable(family)}: stored in {len(matches)} versions; name one of {keys}"
            )
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
        """Yield the same as `tracks`, in the store's order, one in memory at a time."""
        no_labels = LabelEntry()
        for record in self._snapshot.records():
            if record.mark != "deleted" and not record.copy_of:
                yield _track(record, self.labels.of(record.track_id) or no_labels)

    @cached_property
    def labels(self) -> TrackLabels:
        """The labels, groups and folds of all tracks, by track id; fast, as no record is read."""
        return read_labels(self._ledger)

    def with_family(self, family: str) -> tuple[Track, ...]:
        """Return the tracks that have rows of a family, by path."""
        key = self.spec(family).key
        return tuple(track for track in self.tracks if key in self._snapshot.families_of(track.content_hash))

    def rows(self, family: str, tracks: Iterable[Track] | None = None) -> TrackRows:
        """Return the rows of a family, of all tracks that have it or of some; they are all in memory.

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
        field's metadata; rows that are matrices are one column of fixed-size lists. Behind them, what the files say of
        themselves: title, artist, album_artist, album, genre, year, track, bpm, key, comment, as texts with `; `
        between several values; `tracks` has the values each. Last the decoder's note. The schema's metadata has the
        spec.
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

        By default it has all labelled tracks that have the family; a class index is a position in `classes`, by
        default all labels. `window_bytes` of rows are in memory and shuffled at a time; see `RowStream`.
        Raises `UsageError` when there are no rows, or a track has no label or one that is not in `classes`.
        """
        from pipeline.learning.models.runtime import prepare

        prepare()
        from storage.features.batches import FeatureBatches
        from storage.features.row_stream import RowStream

        spec = self.spec(family)
        chosen = tuple(
            [track for track in self.with_family(family) if track.label is not None] if tracks is None else tracks
        )
        names = tuple(self.classes if classes is None else classes)
        index = {label: at for at, label in enumerate(names)}
        for track in chosen:
            if track.label not in index:
                label = "no label" if track.label is None else f"label {printable(track.label)}, which is not asked for"
                raise UsageError(f"track {printable(track.path)}: has {label}; leave it out")
        labels: Int32 = np.array([index[track.label or ""] for track in chosen], dtype=np.int32)
        stream = RowStream(self.layout, spec, _contents(chosen), seed=seed, window_bytes=window_bytes)
        if not stream.rows:
            raise UsageError(f"feature family {spec.name}: no rows in {len(chosen)} labelled tracks to make batches of")
        return FeatureBatches(stream, labels, names, batch=batch, name=spec.name)

    def _extents(self, spec: FeatureSpec, tracks: Sequence[Track]) -> Extents:
        return locate(self.layout, spec.key, _contents(tracks))


def _contents(tracks: Sequence[Track]) -> Ids:
    """Return the content of each track. Raises `UsageError` naming one that could not be read and has none."""
    for track in tracks:
        if not track.content_hash:
            raise UsageError(f"track {printable(track.path)}: could not be read, so it has no rows; leave it out")
    return ids(track.content_hash for track in tracks)


def _installed_key(name: str) -> str:
    """Return the key of the installed family of a name, empty when there is none."""
    try:
        return registered(name).spec.key
    except UsageError:
        return ""


def _track(record: TrackRecord, labels: LabelEntry) -> Track:
    return Track(
        track_id=record.track_id,
        path=record.path,
        label=labels.label,
        group=labels.group,
        fold=labels.fold,
        duration_s=record.duration_s,
        sample_rate_hz=record.sample_rate_hz,
        channels=record.channels,
        content_hash=record.content_hash,
        note=record.note,
        failure=record.failure,
        tags=record.tags,
    )
