"""Reading segments, and checking that they hold what their names say."""

from collections.abc import Collection

from pipeline.features.spec import FeatureRows
from storage.filestore.format.families import FamilyTable
from storage.filestore.format.hdf5 import DamagedError, open_file
from storage.filestore.format.records import RecordTable
from storage.filestore.layout import Layout, SegmentName


def read_segment(
    layout: Layout, name: SegmentName, families: Collection[str] = ()
) -> tuple[RecordTable, dict[str, FeatureRows]]:
    """Return the record of a segment, a table of one, and the rows of some of its families by key, all checked.

    Raises `VanishedError` when it was merged meanwhile, `DamagedError` when it is not what its name says.
    """
    with open_file(layout.inbox / name.path) as file:
        table = RecordTable.read(file)
        table.check(0)
        if table.track_id(0) != name.track_id or table.rank(0) != name.rank:
            raise DamagedError("it holds another record than its name says")
        return table, {key: FamilyTable(file, key).rows_of([name.rank.content_hash])[0] for key in families}
