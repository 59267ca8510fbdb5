"""`chordal predict` with real workers: what is stored is read, what is missing is extracted, failures have reasons."""

import json
import os
import shutil
import subprocess
import sys

import albums
import pytest
import soundfile
from conditions import eventually
from sounds import RATE_HZ, sound, write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PER_CLASS = 4

SCRIPT = """
import sys
from workers.predict import predict

for each in predict(sys.argv[1], sys.argv[2:]):
    print(each.label, each.unsure)
"""


@pytest.fixture(scope="module")
def champion_home(tmp_path_factory):
    """A home whose champion knows three easy classes, and the library it learned from."""
    from tests.conftest import Chordal

    folder = tmp_path_factory.mktemp("learned")
    library = folder / "library"
    write_classes(library, per_class=PER_CLASS)
    made = Chordal(folder)
    recipe = made.recipe.read_text("utf-8").replace('"mfcc_segments"', "").replace('"mfcc_mean"', '"mfcc_segments"')
    made.recipe.write_text(recipe, "utf-8")
    result = made("run", library, "--recipe", made.recipe, "--json")
    assert result.status == 0, result.err + made.logs()
    return made.home, library, made.recipe


@pytest.fixture
def chordal(chordal, champion_home):
    """The command line, in a home that is a copy of that one."""
    shutil.copytree(champion_home[0], chordal.home, ignore=shutil.ignore_patterns("broker"))
    return chordal


@pytest.fixture
def library(champion_home):
    return champion_home[1]


@pytest.fixture
def new(tmp_path):
    """New songs, one that is no sound and one that is too short."""
    folder = tmp_path / "new songs"
    (folder / "low").mkdir(parents=True)
    for number in range(2):
        soundfile.write(folder / "low" / f"{number}.wav", sound(50 + number, pitch_hz=110.0), RATE_HZ)
    cut = folder / "low" / "1.wav"
    soundfile.write(cut, sound(51, seconds=5.0, pitch_hz=110.0), RATE_HZ)
    os.truncate(cut, cut.stat().st_size * 4 // 5)
    (folder / "low" / "diary.wav").write_text("dear diary", "utf-8")
    soundfile.write(folder / "low" / "short.wav", sound(9, seconds=0.5), RATE_HZ)
    return folder


def tracks(result):
    assert result.status == 0, result.err
    return {each["path"].rpartition("/")[2]: each for each in result.json["tracks"]}


def store_of(home):
    return sorted(path.name for path in (home / "store" / "manifest").iterdir())


def test_a_library_that_is_stored_is_read_and_nothing_is_started(chordal, library):
    before = store_of(chordal.home)
    result = chordal("predict", library, "--json")
    found = tracks(result)
    assert len(found) == 3 * PER_CLASS
    assert result.json["extracted"] == 0
    assert result.json["model"] == "v0001"
    assert sorted(result.json["classes"]) == ["high", "low", "noisy"]
    right = [each["label"] == each["path"].split("/")[-2] for each in found.values()]
    assert sum(right) >= len(right) - 1
    for each in found.values():
        assert abs(sum(each["probabilities"].values()) - 1) < 1e-6
        assert each["probability"] == max(each["probabilities"].values())
        assert [segment["start_s"] for segment in each["timeline"]] == [0.0]
        assert each["learned"] in {True, False}
    assert store_of(chordal.home) == before
    assert not (chordal.home / "broker").exists() or chordal.live_processes() == []


def test_new_files_are_extracted_once_and_a_failure_has_its_reason(chordal, new):
    result = chordal("predict", new, "--json")
    found = tracks(result)
    assert result.json["extracted"] == 4
    assert [found[name]["label"] for name in ("0.wav", "1.wav")] == ["low", "low"]
    assert found["diary.wav"]["failure"]["kind"] == "unreadable"
    assert found["short.wav"]["failure"]["kind"] == "too_short"
    assert found["diary.wav"]["label"] is None
    assert "bytes of sound" in found["1.wav"]["note"]
    assert found["0.wav"]["note"] == ""
    again = chordal("predict", new, "--json")
    assert again.json["extracted"] == 0
    assert again.json["tracks"] == result.json["tracks"]
    assert chordal.live_processes() == []


def test_predicted_files_are_learned_from_by_nobody_and_say_nothing_about_the_library(chordal, new, champion_home):
    _, library, recipe = champion_home
    assert chordal("predict", new, library).status == 0
    # `train` without a library means the one that was learned from, not the files somebody asked about
    result = chordal("train", "--recipe", recipe, "--json")
    assert result.status == 0, result.err + chordal.logs()
    assert result.json["tracks"]["scanned"] == 3 * PER_CLASS
    # and the labels of the library are still known
    read = "import sys, storage; print(sorted({t.label for t in storage.open_features(sys.argv[1]).tracks if t.label}))"
    words = [sys.executable, "-c", read, str(chordal.home)]
    out = subprocess.run(words, check=True, capture_output=True, text=True)
    assert out.stdout == "['high', 'low', 'noisy']\n"
    # the report is that of the run that learned
    assert chordal("report", "--json").json["run_id"] == result.json["run_id"]


def test_a_long_recording_is_cut_judged_piece_by_piece_and_is_still_one_song(chordal, tmp_path, library):
    import numpy as np

    path = tmp_path / "concert.wav"
    parts = [sound(60, seconds=8.0, pitch_hz=110.0), sound(61, seconds=9.0, pitch_hz=1_400.0)]
    soundfile.write(path, np.concatenate(parts), RATE_HZ)
    before = chordal("store", "info", "--json").json["tracks"]
    result = chordal("predict", path, "--chunk-s", "4", "--json")
    [found] = tracks(result).values()
    assert [(each["start_s"], each["label"]) for each in found["timeline"]] == [
        (0.0, "low"), (4.0, "low"), (8.0, "high"), (12.0, "high")
    ]  # fmt: skip
    assert found["duration_s"] == 17.0
    assert chordal("store", "info", "--json").json["tracks"] == before + 1
    assert chordal("predict", path, "--chunk-s", "4", "--json").json["extracted"] == 0
    # cut otherwise it is extracted again; not cut, it is known already
    assert chordal("predict", path, "--chunk-s", "8", "--json").json["extracted"] == 1
    assert chordal("predict", path, "--json").json["extracted"] == 0
    assert chordal("status", "--json").json["ledger"]["extracted"] == 3 * PER_CLASS + 1


def test_a_worker_that_is_killed_in_the_middle_costs_no_answer(chordal, tmp_path):
    many = tmp_path / "many"
    total = write_classes(many, per_class=16, seconds=10.0)
    running = chordal.start("predict", many, "--json")
    inbox = chordal.home / "store" / "inbox"
    eventually(lambda: any(inbox.rglob("*.h5")), within_s=120)
    found = [p for p in chordal.live_processes() if p.info["cmdline"][-2:] == ["extract", "--end-with-parent"]]
    assert found
    found[0].kill()
    out, err = running.communicate(timeout=240)
    assert running.returncode == 0, err + chordal.logs()
    result = json.loads(out)
    assert len(result["tracks"]) == total
    assert all(each["label"] for each in result["tracks"])
    assert chordal.live_processes() == []


def test_three_lines_of_python_do_the_same(chordal, new):
    script = chordal.folder / "three_lines.py"
    script.write_text(SCRIPT, "utf-8")
    words = [sys.executable, script, chordal.home, new / "low" / "0.wav", new / "low" / "diary.wav"]
    result = subprocess.run(words, check=True, capture_output=True, text=True, env=chordal.environment())
    assert result.stdout == "low False\nNone False\n"


def test_bad_input_is_one_line_and_status_2(chordal, new, library, tmp_path):
    def refused(*arguments, **more) -> str:
        result = chordal("predict", *arguments, **more)
        assert (result.status, result.out) == (2, ""), result.err
        [line] = [line for line in result.err.splitlines() if line.startswith("chordal: ")]
        assert "Traceback" not in result.err
        return line

    assert "nowhere: no such file or folder" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no audio files under" in refused(tmp_path / "empty")
    assert "model v0009: no such version; the latest are: v0001" in refused(library, "--model", "v0009")
    assert "--json and --csv are two forms" in refused(library, "--json", "--csv")
    assert "none of 12 files got a label" in refused(library, "--labels", r"name:zzz(\d)")
    assert "chunk-s" in refused(library, "--chunk-s", "0.1")
    assert "PATH" in refused()
    assert "nothing here yet" in refused(library, CHORDAL_HOME=str(tmp_path / "no home"))
    (tmp_path / "new home" / "runs").mkdir(parents=True)
    assert "no model yet" in refused(library, CHORDAL_HOME=str(tmp_path / "new home"))
    for entry in (chordal.home / "models" / "champion").iterdir():
        entry.unlink()
    assert "none of its 1 models is the champion" in refused(library)
    # a model that was trained on other features than are computed here
    card = chordal.home / "models" / "v0001" / "model.json"
    wire = json.loads(card.read_text("utf-8"))
    del wire["crc32"]
    card.write_text(json.dumps(wire | {"features": ["mfcc_segments-0123456789ab"]}), "utf-8")
    line = refused(library, "--model", "v0001")
    assert "was trained on mfcc_segments 0123456789ab" in line
    assert "this chordal computes mfcc_segments" in line


def test_an_album_in_one_file_is_predicted_track_by_track(chordal, tmp_path):
    album = tmp_path / "new" / "album.flac"
    album.parent.mkdir()
    albums.write_album(album, pitches_hz=(110.0, 1_400.0))
    (album.parent / "album.cue").write_text(albums.sheet("album.flac", starts_s=(0, 4)), "utf-8")

    found = tracks(chordal("predict", album, "--json"))
    assert {name: each["label"] for name, each in found.items()} == {"01": "low", "02": "high"}

    one = chordal("predict", album / "02", "--json")
    assert (list(tracks(one)), one.json["extracted"]) == (["02"], 0)

    none = chordal("predict", album / "09", "--json")
    assert none.status == 2
    assert f"path {album}/09: no such track; its cue sheet has 01 to 02" in none.err
