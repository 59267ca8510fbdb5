"""Filling stores with samples, and checking that they lost nothing and can be read."""

from storage import FileFeatureStore
from storage.rules import deletion
from storage.testing.samples import SPECS, content, features, record, rows, same_rows

GRACE_S = 3600.0


def fill(store, numbers):
    """Commit the tracks `/0`, `/1`, ... of some numbers, with both families."""
    for number in numbers:
        store.commit(record(f"/{number}", number), features(number), SPECS)


def files(folder):
    """Return all files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def check_whole(store_folder, numbers, *, gone=()):
    """Assert that the tracks `numbers` are stored, those of `gone` deleted, and that all there is can be read."""
    store = FileFeatureStore.open(store_folder)
    snapshot = store.snapshot()
    by_path = {record.path: record for record in snapshot.records()}
    assert len(by_path) == len(snapshot)
    assert {f"/{number}" for number in numbers} <= by_path.keys()
    assert all(by_path[f"/{number}"].mark == "deleted" for number in gone)
    stored = sorted(int(path[1:]) for path in by_path)
    for key, family in SPECS.items():
        found = snapshot.rows(key, [content(number) for number in stored])
        assert all(same_rows(one, rows(family, number)) for number, one in zip(stored, found, strict=True))
    assert store.verify().damages == ()
    return store


class Work:
    """Commits, a deletion, compactions and a collection, step by step, with what was acknowledged so far."""

    def __init__(self, store_folder):
        self.store = FileFeatureStore.open(store_folder)
        self.acknowledged = []
        self.gone = []

    def steps(self):
        """Yield what to do, in order."""
        for number in (10, 11):
            yield lambda number=number: self.commit(number)
        yield lambda: self.delete(1)
        yield self.store.compact
        yield lambda: self.commit(12)
        yield self.store.compact
        yield lambda: self.store.gc(grace_s=GRACE_S)

    def commit(self, number):
        self.store.commit(record(f"/{number}", number), features(number), SPECS)
        self.acknowledged.append(number)

    def delete(self, number):
        self.store.commit(deletion(record(f"/{number}", number), 9), {}, {})
        self.gone.append(number)
