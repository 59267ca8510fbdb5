"""An order to extract a file, and what this host has for it."""

from collections.abc import Mapping

from pipeline.features.families import fingerprint
from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import ExtractTrack, TrackRecord
from workers.app.context import Context
from workers.app.path_map import local_path

COMPANIONS = (fingerprint.spec,)
"""Families that are computed whenever a file is decoded, as they cost next to nothing then, and never decoded for."""


class Job:
    """An order with the path, the families, the bound and the store it is carried out with.

    Raises `UsageError` for an unknown family, and for a run that was forgotten.
    """

    def __init__(self, order: ExtractTrack, context: Context) -> None:
        self.order = order
        self.context = context
        self.store = context.store
        self.path = local_path(order.file_path, context.settings.maps)
        """Where the file is on this host; records and ids keep the path of the host that scanned it."""
        self.specs = {spec.key: spec for spec in (family(name).spec for name in order.families)}
        """Of the families to extract, by family key."""
        self.keys = frozenset(self.specs)
        self.max_duration_s = context.plan(order.run_id).max_duration_s

    def is_stored(self, content_hash: str) -> bool:
        """Return whether the store has something of a content: rows, or a record that describes it."""
        return bool(self.store.families_of(content_hash)) or self.store.record_of_content(content_hash) is not None

    def companions(self, content_hash: str) -> frozenset[str]:
        """Return the names of the families that come with others, those that the store lacks of a content."""
        stored = self.store.families_of(content_hash) | self.keys
        return frozenset(spec.name for spec in COMPANIONS if spec.key not in stored)

    def commit(self, record: TrackRecord, rows: Mapping[str, FeatureRows]) -> None:
        """Store a record with the rows of its content, by family key. Raises `StoreError`."""
        self.store.commit(record, rows, {**self.specs, **{spec.key: spec for spec in COMPANIONS if spec.key in rows}})
