"""Stores that an older chordal wrote still open, and what is no store of ours is refused in one line."""

import json
import tarfile
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.library.tracks import track_id
from storage import FileFeatureStore
from storage.filestore.layout import SCHEMA
from storage.filestore.store_mark import find_layout
from storage.rules import deletion
from storage.testing.samples import SPECS, content, features, record, rows, same_rows

ARCHIVES = sorted((Path(__file__).parent / "archives").glob("schema-*.tar.xz"))
"""Each holds the same: tracks /0 to /10, with /0 changed once and a copy of /3, a failure, and one odd record; some in
parts, some in the inbox."""


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def archive(request, tmp_path):
    with tarfile.open(request.param) as file:
        file.extractall(tmp_path, filter="data")
    return tmp_path / "store"


def as_before(known):
    """Return a record with what the archives have of it: neither ctime and inode nor tags."""
    return known.replace(stamp=known.stamp.replace(ctime_ns=0, inode=0), tags=None)


def check(snapshot):
    by_path = {found.path: found for found in snapshot.records()}
    assert by_path.keys() == {*(f"/{number}" for number in range(11)), "/copy", "/failed", "/\udcff full"}
    assert by_path["/0"] == as_before(record("/0", 20, sequence=2))
    assert all(by_path[f"/{number}"] == as_before(record(f"/{number}", number)) for number in range(1, 11))
    assert (by_path["/failed"].failure.kind, by_path["/failed"].failure.host) == ("unreadable", "studio")
    assert by_path["/\udcff full"].family_failures
    for key, family in SPECS.items():
        numbers = [*range(11), 20]
        for number, found in zip(numbers, snapshot.rows(key, [content(n) for n in numbers]), strict=True):
            assert same_rows(found, rows(family, number))


def test_there_is_an_archive_of_every_schema():
    assert [path.name for path in ARCHIVES] == [f"schema-{schema}.tar.xz" for schema in range(1, SCHEMA + 1)]


def test_an_archive_is_read_without_changing_it(archive):
    before = {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()}
    check(FileFeatureStore.existing(archive).snapshot())
    assert {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()} == before


def test_an_archive_is_written_to_compacted_and_read_again(archive):
    store = FileFeatureStore.open(archive)
    check(store.snapshot())
    store.compact()
    check(FileFeatureStore.open(archive).snapshot())
    for number in range(30, 40):
        store.commit(record(f"/{number}", number), features(number), SPECS)
    store.commit(deletion(record("/1", 1), 7), {}, {})
    store.compact()
    snapshot = FileFeatureStore.existing(archive).snapshot()
    assert snapshot.record(track_id("/1")).mark == "deleted"
    assert len(snapshot) == 14 + 10


def test_an_older_chordal_is_told_that_the_store_is_newer_now(archive):
    FileFeatureStore.open(archive)
    assert json.loads((archive / "store.json").read_text()) == {"format": "chordal-feature-store", "schema": SCHEMA}


@pytest.mark.parametrize("opening", [FileFeatureStore.open, FileFeatureStore.existing])
@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ('{"format": "chordal-feature-store", "schema": 99, "shards": [1]}', "newer chordal .*upgrade chordal"),
        ('{"format": "photo-archive", "schema": 1}', "no feature store but 'photo-archive'; give another folder"),
        ('{"format": "chordal-feature-store"', "no feature store .*give another folder"),
        ("\xff", "no feature store .*give another folder"),
        ("[]", "no feature store .*give another folder"),
    ],
)
def test_what_is_no_store_of_ours_is_refused_in_one_line(store_folder, opening, mark, reason):
    FileFeatureStore.open(store_folder)
    (store_folder / "store.json").write_text(mark, "latin-1")
    with pytest.raises(UsageError, match=reason) as refused:
        opening(store_folder)
    assert str(store_folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_reading_makes_no_store(tmp_path):
    (tmp_path / "a file").write_text("not a folder")
    for path, reason in (
        (tmp_path / "nowhere", "there is no such folder"),
        (tmp_path, "is no feature store"),
        (tmp_path / "a file", "cannot be read"),
    ):
        with pytest.raises(UsageError, match=reason) as refused:
            find_layout(path)
        assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]
