import csv
import errno
import json

import h5py
import numpy as np
import pytest
from homes import commit, scan, small_home
from pyarrow import parquet

from pipeline.errors import StoreError, UsageError
from storage import open_features
from storage.exchange import FORMATS, export
from storage.features.reader import BLOCK_BYTES
from storage.testing.samples import SPECTRA, TONES, rows

BLOCKS = [BLOCK_BYTES, 100]
"""All rows at once, and a few at a time: tracks are cut in the middle."""


@pytest.fixture
def home(tmp_path):
    """A home of seven tracks, the last one without a label, and one that is stored without rows of its own."""
    folder = tmp_path / "home"
    small_home(folder)
    commit(folder, [6])
    return folder


def in_store_order(home, family):
    """Return the numbers of the tracks in the store's order, and the rows they have."""
    numbers = [int(track.path[-6:-4]) for track in open_features(home).each_track()]
    return numbers, np.concatenate([rows(family, number).values for number in numbers])


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("family", [TONES, SPECTRA], ids=lambda family: family.name)
def test_parquet_has_every_row_with_labels_groups_and_units(home, tmp_path, family, block_bytes):
    report = export(open_features(home), family.name, tmp_path / "a.parquet", form="parquet", block_bytes=block_bytes)
    assert (report.tracks, report.rows, report.family) == (7, 35, family.key)
    table = parquet.read_table(tmp_path / "a.parquet")
    numbers, expected = in_store_order(home, family)
    labels = {f"/music/{n:02d}.wav": "odd" if n % 2 else "even" for n in range(6)}
    paths = [f"/music/{number:02d}.wav" for number in numbers for _ in range(5)]
    assert table["path"].to_pylist() == paths
    assert table["label"].to_pylist() == [labels.get(path) for path in paths]
    assert table["group"].to_pylist()[0] == f"artist {numbers[0] // 2}"
    if family is TONES:
        found = np.stack([table[name].to_numpy() for name in family.columns], axis=1)
        assert table.schema.field("c0").metadata[b"unit"] == b"dB"
    else:
        found = np.array(table["spectra"].to_pylist(), np.float32)
    np.testing.assert_array_equal(found, expected)
    assert json.loads(table.schema.metadata[b"chordal"])["family"]["columns"] == list(family.columns)


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("family", [TONES, SPECTRA], ids=lambda family: family.name)
def test_csv_has_a_column_for_every_number_and_the_same_float32(home, tmp_path, family, block_bytes):
    export(open_features(home), family.name, tmp_path / "a.csv", form="csv", block_bytes=block_bytes)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    numbers, expected = in_store_order(home, family)
    first = "c0 [dB]" if family is TONES else "c0[0] [dB]"
    assert header[:8] == ["path", "track_id", "label", "group", "fold", "start_s [s]", "channel", first]
    last = dict(zip(header[-11:-1], zip(*(line[-11:-1] for line in lines), strict=True), strict=True))
    assert (next(iter(last)), set(last["genre"]), set(last["comment"])) == ("title", {"Jazz; Rock"}, {""})
    np.testing.assert_array_equal(
        np.array([line[7:-11] for line in lines], np.float32), expected.reshape(len(expected), -1)
    )
    assert (header[-1], {line[-1] for line in lines}) == ("note", {"a note"})
    assert [line[2] for line in lines[::5]] == ["" if n == 6 else "odd" if n % 2 else "even" for n in numbers]


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("family", [TONES, SPECTRA], ids=lambda family: family.name)
def test_npz_has_the_form_of_the_tutorial_and_more_without_a_pickle(home, tmp_path, family, block_bytes):
    export(open_features(home), family.name, tmp_path / "a.npz", form="npz", block_bytes=block_bytes)
    numbers, expected = in_store_order(home, family)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["Xdata"], expected)
        assert arrays["Ydata"].shape == (35, 1)
        assert arrays["classes"].tolist() == ["even", "odd"]
        assert arrays["Ydata"][::5, 0].tolist() == [-1 if n == 6 else n % 2 for n in numbers]
        assert arrays["track_path"][arrays["track"]][::5].tolist() == [f"/music/{n:02d}.wav" for n in numbers]
        assert arrays["track_group"][0] == f"artist {numbers[0] // 2}"
        assert arrays["columns"].tolist() == list(family.columns)
        assert arrays["units"].tolist() == list(family.units)
        assert arrays["start_s"][:5].tolist() == [0, 0.5, 1, 1.5, 2]
        assert arrays["channel"].tolist() == [-1] * 35


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("family", [TONES, SPECTRA], ids=lambda family: family.name)
def test_hdf5_has_rows_tracks_and_units(home, tmp_path, family, block_bytes):
    export(open_features(home), family.name, tmp_path / "a.h5", form="h5", block_bytes=block_bytes)
    numbers, expected = in_store_order(home, family)
    with h5py.File(tmp_path / "a.h5", "r") as file:
        np.testing.assert_array_equal(file["values"][:], expected)
        assert file["values"].attrs["units"].tolist() == list(family.units)
        assert file["track"][:].tolist() == np.repeat(range(7), 5).tolist()
        paths = file["tracks/path"].asstr()[:]
        assert paths.tolist() == [f"/music/{n:02d}.wav" for n in numbers]
        assert file["tracks/label"].asstr()[numbers.index(6)] == ""
        assert file["tracks/duration_s"][:].tolist() == [12.5] * 7
        assert json.loads(file.attrs["chordal"])["key"] == family.key


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_there_is_not_replaced_unasked(home, tmp_path, form):
    path = tmp_path / f"a.{form}"
    path.write_text("precious")
    with pytest.raises(UsageError, match="is there already"):
        export(open_features(home), "tones", path, form=form)
    assert path.read_text() == "precious"
    export(open_features(home), "tones", path, form=form, replace=True)
    assert path.stat().st_size > 100


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_leaves_nothing_behind_and_the_old_file_alone(home, tmp_path, form, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    path = out / f"a.{form}"
    path.write_text("precious")

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("storage.durable.sync_path", full)
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device; free some space"):
        export(open_features(home), "tones", path, form=form, replace=True)
    assert [each.name for each in out.iterdir()] == [path.name]
    assert path.read_text() == "precious"


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_rows_are_named_and_no_file_is_left(home, tmp_path, form):
    needle = rows(SPECTRA, 0).values[2, 2, 1].tobytes()
    [part] = [path for path in (home / "store" / "parts").iterdir() if needle in path.read_bytes()]
    data = bytearray(part.read_bytes())
    data[data.find(needle)] ^= 64
    part.write_bytes(data)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(StoreError, match=part.name):
        export(open_features(home), "spectra", out / "a", form=form)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_family_without_rows_makes_an_empty_file(tmp_path, form):
    home = tmp_path / "home"
    commit(home, [0, 1], rows=0)
    scan(home, {"/music/00.wav": ("even", None)})
    report = export(open_features(home), "tones", tmp_path / "a", form=form)
    assert (report.tracks, report.rows) == (2, 0)
    assert report.size_bytes > 0


def test_a_folder_that_is_missing_an_unknown_format_and_an_unknown_family_are_told(home, tmp_path):
    found = open_features(home)
    with pytest.raises(UsageError, match="there is no folder"):
        export(found, "tones", tmp_path / "no" / "a.csv", form="csv")
    with pytest.raises(UsageError, match="is a folder"):
        export(found, "tones", tmp_path, form="csv")
    with pytest.raises(UsageError, match="format xml: not known; one of parquet, csv, npz, h5"):
        export(found, "tones", tmp_path / "a", form="xml")
    with pytest.raises(UsageError, match="not stored here"):
        export(found, "tunes", tmp_path / "a", form="csv")
