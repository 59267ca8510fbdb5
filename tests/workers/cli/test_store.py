"""What `chordal store` tells and does, and training on features that were computed elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from homes import small_home

from storage import RunLedger, open_features
from storage.exchange import FORMATS
from storage.testing.samples import SPECTRA, TONES, rows
from workers.cli import main
from workers.cli.inspect import store

pytestmark = pytest.mark.slow


def printed(capsys, *arguments):
    main(["store", *map(str, arguments)])
    return capsys.readouterr().out


def refused(capsys, *arguments) -> str:
    """Return the one line with which a command was refused."""
    with pytest.raises(SystemExit) as ended:
        main(["store", *map(str, arguments)])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("chordal: ")
    assert error.count("\n") == 1
    return error


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of six tracks, half of them compacted, named by the environment."""
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    small_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def t1_file(tmp_path):
    """A made file in the tutorial's form: three classes that are easily separated, 40 rows each."""
    random = np.random.default_rng(1)
    y = np.repeat(np.arange(3), 40)
    x = random.normal(size=(120, 12)) + 3 * y[:, np.newaxis]
    path = tmp_path / "made.npz"
    np.savez(path, Xdata=x, Ydata=y.reshape(-1, 1))
    return path


def test_the_formats_offered_are_those_that_can_be_written():
    assert tuple(FORMATS) == store.FORMATS


def test_info_tells_families_tracks_rows_bytes_files_schema_and_software(home, capsys):
    info = json.loads(printed(capsys, "info", "--json"))
    assert (info["tracks"], info["labelled"], info["grouped"], info["failed"], info["inbox"]) == (6, 6, 6, 0, 3)
    families = {each["name"]: each for each in info["families"]}
    assert families["tones"]["key"] == TONES.key
    assert (families["tones"]["tracks"], families["tones"]["rows"], families["tones"]["bytes"]) == (6, 30, 360)
    assert families["spectra"]["columns"] == 8
    assert set(info["software"]) == {"chordal", "h5py", "hdf5", "numpy"}
    text = printed(capsys, "info")
    assert SPECTRA.key in text
    assert "6: 6 labelled, 6 grouped, 0 failed" in text


def test_compact_and_gc_tell_what_they_did(home, capsys):
    assert json.loads(printed(capsys, "compact", "--json"))["segments"] == 3
    assert json.loads(printed(capsys, "info", "--json"))["inbox"] == 0
    assert json.loads(printed(capsys, "gc", "--json", "--grace-hours", "0"))["manifests"] >= 1
    assert "nothing" in printed(capsys, "compact")
    assert printed(capsys, "gc")
    assert len(open_features(home).rows("tones")) == 30


def test_verify_finds_and_names_a_flipped_bit_and_repair_mends_the_rest(home, capsys):
    assert "nothing is damaged" in printed(capsys, "verify")
    needle = rows(TONES, 0).values[3, 1].tobytes()
    [part] = [path for path in (home / "store" / "parts").iterdir() if needle in path.read_bytes()]
    data = bytearray(part.read_bytes())
    data[data.find(needle)] ^= 1
    part.write_bytes(data)
    for form in ((), ("--json",)):
        with pytest.raises(SystemExit) as ended:
            main(["store", "verify", *form])
        assert ended.value.code == 1
        out = capsys.readouterr().out
        assert part.name in out
    assert json.loads(out)["damages"]
    printed(capsys, "verify", "--repair")
    assert json.loads(printed(capsys, "verify", "--json"))["damages"] == []
    assert len(open_features(home).with_family("tones")) == 5


def test_export_writes_one_family_into_a_file_or_each_into_one(home, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    [one] = json.loads(printed(capsys, "export", "--family", "tones", "--out", out / "a.parquet", "--json"))["files"]
    assert (one["path"], one["rows"], one["tracks"]) == (str(out / "a.parquet"), 30, 6)
    monkeypatch.chdir(out)
    text = printed(capsys, "export", "--format", "csv")
    assert sorted(path.name for path in out.iterdir()) == ["a.parquet", "spectra.csv", "tones.csv"]
    assert "tones.csv" in text
    error = refused(capsys, "export", "--format", "csv", "--family", "tones")
    assert "tones.csv: is there already" in error
    printed(capsys, "export", "--format", "csv", "--family", "tones", "--force")


def test_bad_input_is_one_line_and_makes_nothing(home, tmp_path, capsys, monkeypatch):
    empty = tmp_path / "empty"
    for command in ("info", "verify", "compact", "gc", "export"):
        assert "empty" in refused(capsys, command, "--home", empty)
    assert not empty.exists()
    assert "not stored here" in refused(capsys, "export", "--family", "tunes")
    assert "need a folder" in refused(capsys, "export", "--out", tmp_path / "a.parquet")
    assert "no such family" in refused(capsys, "import-npz", "x.npz", "--family", "tunes")
    assert "there is no such file" in refused(capsys, "import-npz", tmp_path / "x.npz", "--home", empty)
    assert not empty.exists()
    (tmp_path / "bad.npz").write_bytes(b"bad")
    assert "is no NPZ archive" in refused(capsys, "import-npz", tmp_path / "bad.npz")
    assert len(RunLedger(home).run_ids()) == 1


def test_importing_says_plainly_that_songs_and_groups_are_unknown(home, t1_file, capsys):
    text = printed(capsys, "import-npz", t1_file)
    assert "unknown: the file tells no songs" in text
    assert "0 40, 1 40, 2 40" in text
    again = json.loads(printed(capsys, "import-npz", t1_file, "--json"))
    assert (again["rows"], again["new"], again["groups"]) == (120, 0, None)
    info = json.loads(printed(capsys, "info", "--json"))
    assert (info["tracks"], info["labelled"], info["grouped"]) == (126, 126, 6)


def test_what_was_exported_can_be_imported(home, t1_file, tmp_path, capsys):
    printed(capsys, "import-npz", t1_file)
    printed(capsys, "export", "--family", "loudness", "--format", "npz", "--out", tmp_path / "again.npz")
    other = tmp_path / "other"
    summary = json.loads(printed(capsys, "import-npz", tmp_path / "again.npz", "--home", other, "--json"))
    assert summary["labels"] == {"0": 40, "1": 40, "2": 40}
    ours, theirs = (open_features(folder).rows("loudness") for folder in (home, other))
    assert sorted(row.tobytes() for row in ours.values) == sorted(row.tobytes() for row in theirs.values)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_recipe_is_trained_on_imported_rows_without_extraction(chordal, t1_file, tmp_path):
    recipe = tmp_path / "t1.toml"
    recipe.write_text(
        'name = "t1"\ntitle = "T1"\n[search]\ntrials = 1\nrefit = false\n'
        '[[models]]\nfamily = "dense_search"\nfeatures = "loudness"\n'
        "fixed = { epochs = 20, batch = 16, learning_rate = 0.02 }\n",
        "utf-8",
    )
    refused = chordal("train", t1_file, "--recipe", recipe)
    assert refused.status == 2
    assert "was not imported into this home" in refused.err
    assert chordal("store", "import-npz", t1_file, "--json").status == 0

    first = chordal("train", "--recipe", recipe, "--json")
    assert first.status == 0, first.err + chordal.logs()
    summary = first.json
    assert summary["tracks"] == {"scanned": 120, "extracted": 0, "unchanged": 120, "failed": 0, "missing": 0}
    assert summary["labels"] == {"0": 40, "1": 40, "2": 40}
    assert summary["scores"]["test"]["accuracy"] > 0.8
    # Written here once more: a busy machine may end its worker before the page is there.
    report = Path(chordal("report", "--json").json["report"]).read_text("utf-8")
    assert "nobody knows which are of one song" in report

    # the file's name stands for its rows, too
    scanned = chordal("scan", t1_file, "--json").json
    assert (scanned["labels"], scanned["formats"]) == (summary["labels"], {"row": 120})
    # and the file's rows are not extracted, nor relabelled
    assert "has no audio to extract" in chordal("run", t1_file).err
    assert "leave it out" in chordal("train", t1_file, "--labels", "folder").err
    assert chordal("status", "--json").status == 0
    assert chordal("failures", "--json").json == {"failures": []}
