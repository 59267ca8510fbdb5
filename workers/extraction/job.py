"""An order to extract a file, and what this host has for it."""

from collections.abc import Mapping

from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import ExtractTrack, TrackRecord
from workers.app.context import Context
from workers.app.path_map import local_path


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

    def commit(self, record: TrackRecord, rows: Mapping[str, FeatureRows]) -> None:
        """Store a record with the rows of its content, by family key. Raises `StoreError`."""
        self.store.commit(record, rows, self.specs)
