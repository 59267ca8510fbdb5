"""Storing many small tracks at once: written as parts and published by one manifest, all of them or none.

A commit for each would flush the disk for each. Like a compaction it needs no lock: no reader uses the parts until a
manifest names them, and when another process published that number first, the next one is tried.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from pipeline.text import printable
from storage.filestore.format.records import RecordTable
from storage.filestore.index import Indexes
from storage.filestore.layout import Layout, PartEntry
from storage.filestore.maintenance.compaction import PART_ENTRIES
from storage.filestore.parts import PartsWriter
from storage.filestore.snapshot import FileSnapshot
from storage.rules import check_commit, rank

_ATTEMPTS = 100
"""How often to try the next number of a manifest, when other processes publish in between."""


def bulk_load(layout: Layout, spec: FeatureSpec, tracks: Iterable[tuple[TrackRecord, FeatureRows]]) -> int:
    """Store records and rows of tracks, durably, and return how many records were new or newer.

    Rows of a content that is stored already are not stored again; a record that differs from the stored one in its
    sequence alone is left out. Raises `StoreError` when they could not be stored, and then none of them is;
    `UsageError` for values that contradict each other.
    """
    indexes = Indexes(layout)
    snapshot = FileSnapshot(layout, indexes, indexes.newest(), list(layout.segments()))
    layout.publish_specs([spec])
    writer = PartsWriter(layout, part_entries=PART_ENTRIES)
    added: set[str] = set()
    records = 0
    with ExitStack() as undo:
        undo.callback(writer.discard)
        for record, rows in tracks:
            check_commit(record, {spec.key: rows}, {spec.key: spec})
            stored = snapshot.record(record.track_id)
            if stored is None or (rank(stored) < rank(record) and stored != record.replace(sequence=stored.sequence)):
                writer.add_records(RecordTable.of(record))
                records += 1
            if record.content_hash not in added and spec.key not in snapshot.families_of(record.content_hash):
                writer.add_rows(spec, record.content_hash, rows)
                added.add(record.content_hash)
        parts = writer.finish()
        # A publication that reports an error may have succeeded: the parts then stay for the collection.
        undo.pop_all()
        if parts:
            _publish(layout, indexes, parts)
    return records


def _publish(layout: Layout, indexes: Indexes, parts: Sequence[PartEntry]) -> None:
    for _ in range(_ATTEMPTS):
        base = indexes.newest()
        manifest = base.manifest.replace(parts=(*base.manifest.parts, *parts))
        if layout.publish_manifest(base.generation + 1, manifest):
            return
    raise StoreError(f"{printable(str(layout.root))}: others publish all the time; try again")
