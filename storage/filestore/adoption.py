"""Taking many small tracks in at once: written as parts and published by one manifest, all of them or none.

A commit for each would flush the disk for each. Like a compaction it needs no lock: the parts are nobody's until the
manifest names them, and a number that another one took is tried again with the next.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from pipeline.text import printable
from storage.filestore.format.records import Tracks
from storage.filestore.index import Indexes
from storage.filestore.layout import Layout, PartEntry
from storage.filestore.maintenance.compaction import PART_ENTRIES
from storage.filestore.parts import PartsWriter
from storage.filestore.snapshot import FileSnapshot
from storage.rules import check_commit, rank

_ATTEMPTS = 100
"""Each time, somebody else published in between."""


def adopt(layout: Layout, spec: FeatureSpec, tracks: Iterable[tuple[TrackRecord, FeatureRows]]) -> int:
    """Store the records and rows of tracks, durably, and return how many records were new or newer.

    Rows of a content that is stored already are not stored again; a record that tells nothing new, its sequence aside,
    is left out. Raises `StoreError` when it could not be stored, and then nothing of it is; `UsageError` for values
    that contradict each other.
    """
    indexes = Indexes(layout)
    snapshot = FileSnapshot(layout, indexes, indexes.newest(), list(layout.segments()))
    layout.publish_specs([spec])
    writer = PartsWriter(layout, part_entries=PART_ENTRIES)
    taken: set[str] = set()
    records = 0
    with ExitStack() as undo:
        undo.callback(writer.discard)
        for record, rows in tracks:
            check_commit(record, {spec.key: rows}, {spec.key: spec})
            held = snapshot.record(record.track_id)
            if held is None or (rank(held) < rank(record) and held != record.replace(sequence=held.sequence)):
                writer.add_records(Tracks.of(record))
                records += 1
            if record.content_hash not in taken and spec.key not in snapshot.families_of(record.content_hash):
                writer.add_rows(spec, record.content_hash, rows)
                taken.add(record.content_hash)
        written = writer.finish()
        # A publication that fails may have been made all the same: the parts then stay for the collection.
        undo.pop_all()
        if written:
            _publish(layout, indexes, written)
    return records


def _publish(layout: Layout, indexes: Indexes, written: Sequence[PartEntry]) -> None:
    for _ in range(_ATTEMPTS):
        base = indexes.newest()
        manifest = base.manifest.replace(parts=(*base.manifest.parts, *written))
        if layout.publish_manifest(base.generation + 1, manifest):
            return
    raise StoreError(f"{printable(str(layout.root))}: others publish all the time; try again")
