"""Checking that a store lost nothing and can be read."""

from storage import FileFeatureStore
from storage.testing.samples import SPECS, content, rows, same_rows


def check_whole(home, numbers, *, gone=()):
    """Assert that the tracks `numbers` are stored, those of `gone` deleted, and that all there is can be read."""
    store = FileFeatureStore.open(home)
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
