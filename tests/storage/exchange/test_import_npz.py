import numpy as np
import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.features.families import loudness
from storage import FileFeatureStore, open_features
from storage.exchange.import_npz import import_rows, read_npz
from storage.filestore import parts
from storage.testing.samples import SPECS, SPECTRA, TONES, features, record


def values(n=20, seed=1):
    return np.random.default_rng(seed).normal(size=(n, 12))


def write(folder, *, name="t1.npz", **arrays):
    path = folder / name
    np.savez(path, **arrays)
    return path


@pytest.fixture
def file(tmp_path):
    """Twenty rows of three classes, in the tutorial's form."""
    return write(tmp_path, Xdata=values(), Ydata=(np.arange(20) % 3).reshape(-1, 1))


@pytest.fixture
def root(tmp_path):
    FileFeatureStore.open(tmp_path / "store")
    return tmp_path / "store"


def test_each_row_becomes_a_track_of_its_own_with_its_label_and_no_group(file, root):
    rows = read_npz(file, loudness.spec)
    assert import_rows(root, rows, loudness.spec, sequence=5) == 20
    tracks = list(rows.scanned())
    assert [track.label for track in tracks] == [str(n % 3) for n in range(20)]
    assert {(track.group, track.fold) for track in tracks} == {(None, None)}
    found = open_features(root).rows("loudness")
    np.testing.assert_array_equal(found.values, values().astype(np.float32))
    assert [track.track_id for track in found.tracks] == [track.track_id for track in tracks]
    assert np.isnan(found.start_s).all()
    assert "song and group are unknown" in found.tracks[0].note


def test_importing_again_stores_nothing_and_a_changed_file_supersedes(file, root, tmp_path):
    import_rows(root, read_npz(file, loudness.spec), loudness.spec, sequence=5)
    parts = sorted(path.name for path in (root / "parts").iterdir())
    assert import_rows(root, read_npz(file, loudness.spec), loudness.spec, sequence=6) == 0
    assert sorted(path.name for path in (root / "parts").iterdir()) == parts
    changed = values()
    changed[7] = 0
    write(tmp_path, Xdata=changed, Ydata=np.arange(20) % 3)
    assert import_rows(root, read_npz(file, loudness.spec), loudness.spec, sequence=7) == 20
    found = open_features(root).rows("loudness")
    np.testing.assert_array_equal(found.values, changed.astype(np.float32))


def test_rows_that_are_equal_are_one_content(tmp_path, root):
    same = values()
    same[3] = same[11]
    rows = read_npz(write(tmp_path, Xdata=same, Ydata=np.zeros(20, int)), loudness.spec)
    import_rows(root, rows, loudness.spec, sequence=1)
    tracks = open_features(root).tracks
    assert len({track.content_hash for track in tracks}) == 19
    assert tracks[3].content_hash == tracks[11].content_hash


def test_imported_rows_live_beside_others_through_compaction(file, root):
    store = FileFeatureStore.open(root)
    store.commit(record("/a", 1), features(1), SPECS)
    import_rows(root, read_npz(file, loudness.spec), loudness.spec, sequence=5)
    store.compact()
    found = open_features(root)
    assert len(found.tracks) == 21
    assert len(found.rows("loudness")) == 20
    assert len(found.rows("tones")) == 5
    assert store.verify().damages == ()


def test_many_rows_fill_several_parts(tmp_path, root):
    rows = read_npz(write(tmp_path, Xdata=values(5000), Ydata=np.arange(5000) % 2), loudness.spec)
    assert import_rows(root, rows, loudness.spec, sequence=1) == 5000
    assert len(list((root / "parts").iterdir())) == 6
    assert len(open_features(root).rows("loudness")) == 5000


def test_rows_with_nan_are_stored_and_counted(tmp_path, root):
    odd = values()
    odd[3, 4], odd[5, 0] = np.nan, np.inf
    rows = read_npz(write(tmp_path, Xdata=odd, Ydata=np.arange(20) % 2), loudness.spec)
    assert rows.not_finite == 2
    assert import_rows(root, rows, loudness.spec, sequence=1) == 20


def test_classes_and_texts_are_names_of_labels(tmp_path):
    named = write(tmp_path, Xdata=values(), Ydata=np.arange(20) % 2, classes=np.array(["rock", "jazz"]))
    assert read_npz(named, loudness.spec).labels[:3] == ("rock", "jazz", "rock")
    texts = write(tmp_path, name="b.npz", Xdata=values(), Ydata=np.array(["a", "b"] * 10))
    assert read_npz(texts, loudness.spec).labels[:3] == ("a", "b", "a")
    whole = write(tmp_path, name="c.npz", Xdata=values(), Ydata=np.arange(20.0) % 2)
    assert read_npz(whole, loudness.spec).labels[:3] == ("0", "1", "0")


def test_rows_that_are_matrices_are_rows_of_their_family(tmp_path, root):
    x = np.random.default_rng(1).normal(size=(6, *SPECTRA.row_shape)).astype(np.float32)
    rows = read_npz(write(tmp_path, Xdata=x, Ydata=np.arange(6) % 2), SPECTRA)
    import_rows(root, rows, SPECTRA, sequence=1)
    np.testing.assert_array_equal(open_features(root).rows("spectra").values, x)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"Ydata": np.zeros(20)}, "has no array Xdata; it holds Ydata"),
        ({"Xdata": values()}, "has no array Ydata"),
        (
            {"Xdata": values()[:, :11], "Ydata": np.zeros(20)},
            r"Xdata is float64 of shape \(20, 11\); the family loudness",
        ),
        ({"Xdata": values().astype(str), "Ydata": np.zeros(20)}, "Xdata is <U"),
        ({"Xdata": values(), "Ydata": np.zeros(19)}, r"Ydata has shape \(19,\) for 20 rows"),
        ({"Xdata": values(), "Ydata": np.zeros((20, 2))}, r"Ydata has shape \(20, 2\)"),
        ({"Xdata": values(), "Ydata": np.full(20, 0.5)}, "not all whole numbers or texts"),
        ({"Xdata": values(), "Ydata": np.full(20, np.nan)}, "not all whole numbers or texts"),
        (
            {"Xdata": values(), "Ydata": np.arange(20), "classes": np.array(["a"])},
            "from 0 to 19, and there are 1 classes",
        ),
        ({"Xdata": values(0), "Ydata": np.zeros(0)}, "Ydata has shape"),
        ({"Xdata": np.float64(1), "Ydata": np.zeros(20)}, "Xdata is a single number"),
        ({"Xdata": np.array([{}] * 20), "Ydata": np.zeros(20)}, "is no readable NPZ archive"),
    ],
)
def test_a_file_of_another_form_is_told_in_a_line(tmp_path, arrays, reason):
    path = write(tmp_path, **arrays)
    with pytest.raises(UsageError, match=reason) as refusal:
        read_npz(path, loudness.spec)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00"])
def test_what_is_no_archive_is_told_in_a_line(tmp_path, data):
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="archive"):
        read_npz(path, loudness.spec)
    with pytest.raises(UsageError, match="cannot be read"):
        read_npz(tmp_path / "none.npz", loudness.spec)


def test_a_plain_array_is_told_to_be_no_archive(tmp_path):
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        np.save(file, values())
    with pytest.raises(UsageError, match="is no NPZ archive"):
        read_npz(path, loudness.spec)


def test_an_import_that_fails_stores_nothing(file, root, monkeypatch):
    def full(*_args):
        raise StoreError("no space left")

    monkeypatch.setattr("storage.filestore.parts.PartsWriter.finish", full)
    with pytest.raises(StoreError, match="no space left"):
        import_rows(root, read_npz(file, loudness.spec), loudness.spec, sequence=1)
    assert len(open_features(root).tracks) == 0
    assert [path for path in root.rglob("*.h5") if path.is_file()] == []


def test_what_another_publishes_meanwhile_is_kept(file, root, monkeypatch):
    finish = parts.PartsWriter.finish

    def racing(writer):
        monkeypatch.undo()
        store = FileFeatureStore.open(root)
        store.commit(record("/a", 1), features(1), SPECS)
        assert store.compact().state == "compacted"
        return finish(writer)

    monkeypatch.setattr(parts.PartsWriter, "finish", racing)
    import_rows(root, read_npz(file, loudness.spec), loudness.spec, sequence=1)
    found = open_features(root)
    assert len(found.rows("loudness")) == 20
    assert len(found.rows(TONES.key)) == 5
