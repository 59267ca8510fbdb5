"""The digests beside the records: whole, damaged, and not there in files of before."""

import dataclasses

import h5py
import numpy as np
import pytest

from storage.filestore.format.hdf5 import DamagedError
from storage.filestore.format.identities import ALIAS
from storage.filestore.format.records import RecordTable, read_aliases
from storage.filestore.schema import tracks_part_bytes
from storage.ids import pack
from storage.testing.samples import content, record

RECORDS = [
    record("/0", 0),
    record("/1", 1).replace(file_hash=content(11), sound_hash=content(1), retagged=True),
    record("/2", 2).replace(file_hash=content(2), sound_hash=content(12)),
    record("/3", None).replace(file_hash=content(3), sound_hash=content(13)),
]


def written(table: RecordTable, folder) -> h5py.File:
    path = folder / "part.h5"
    path.write_bytes(b"".join(tracks_part_bytes(table)))
    return h5py.File(path)


def test_identities_are_read_as_they_were_written(tmp_path):
    table = RecordTable.concatenate([RecordTable.of(each) for each in RECORDS])
    with written(table, tmp_path) as file:
        found = RecordTable.read(file)
        assert found.intact
        assert list(found.records()) == RECORDS
        assert list(found.select([2, 1]).records()) == [RECORDS[2], RECORDS[1]]


def test_a_sound_under_another_name_is_an_alias(tmp_path):
    table = RecordTable.concatenate([RecordTable.of(each) for each in RECORDS])
    with written(table, tmp_path) as file:
        np.testing.assert_array_equal(read_aliases(file), np.array([(pack(content(12)), pack(content(2)))], ALIAS))
    with written(table.select([0, 1, 3]), tmp_path) as file:
        assert len(read_aliases(file)) == 0
        assert "aliases" not in file["tracks"].attrs, "no column is read where there is none"


def test_a_damaged_identity_is_named_and_the_others_are_read(tmp_path):
    table = RecordTable.concatenate([RecordTable.of(each) for each in RECORDS])
    table.identities["inode"][1] += 1
    with written(table, tmp_path) as file:
        # its checksum of the whole is right, as it was damaged before: each record's own is not
        found = dataclasses.replace(RecordTable.read(file), intact=False)
        with pytest.raises(DamagedError, match=RECORDS[1].track_id):
            found.check(1)
        for at in (0, 2, 3):
            assert found.record(at) == RECORDS[at]


def test_a_file_of_before_has_records_without_digests(tmp_path):
    table = RecordTable.concatenate([RecordTable.of(each) for each in RECORDS])
    written(table, tmp_path).close()
    with h5py.File(tmp_path / "part.h5", "r+") as file:
        del file["tracks"]["identities"], file["tracks"].attrs["identities_crc32"], file["tracks"].attrs["aliases"]
    with h5py.File(tmp_path / "part.h5") as file:
        found = RecordTable.read(file)
    assert found.intact
    for mine, theirs in zip(found.records(), RECORDS, strict=True):
        stamp = theirs.stamp.replace(ctime_ns=0, inode=0)
        assert mine == theirs.replace(stamp=stamp, file_hash="", sound_hash="", retagged=False)
    both = RecordTable.concatenate([dataclasses.replace(found, intact=False), RecordTable.of(RECORDS[1])])
    for at in range(len(both)):
        both.check(at)
