"""Make the archive of the present schema: `python -m tests.storage.make_archive`, once, when the schema was raised."""

import tarfile
import tempfile
from pathlib import Path

from pipeline.library.tracks import Failure
from storage import FileFeatureStore
from storage.filestore.layout import SCHEMA
from storage.testing.samples import SPECS, features, full_record, record

FAILURE = Failure(kind="unreadable", reason="no decoder makes sound of it", host="studio")


def fill(folder: Path) -> None:
    """Make a store of what every archive holds: some of it in parts, some in the inbox."""
    store = FileFeatureStore.open(folder)
    for number in range(8):
        store.commit(record(f"/{number}", number), features(number), SPECS)
    store.commit(record("/0", 20, sequence=2), features(20), SPECS)
    store.commit(record("/failed", None, failure=FAILURE), {}, {})
    store.commit(full_record("/\udcff full"), {}, {})
    store.compact()
    for number in range(8, 11):
        store.commit(record(f"/{number}", number), features(number), SPECS)
    store.commit(record("/copy", 3), {}, SPECS)


if __name__ == "__main__":
    archive = Path(__file__).parent / "archives" / f"schema-{SCHEMA}.tar.xz"
    with tempfile.TemporaryDirectory() as work, tarfile.open(archive, "x:xz") as file:
        fill(Path(work) / "store")
        file.add(Path(work) / "store", arcname="store")
    print(archive, archive.stat().st_size)
