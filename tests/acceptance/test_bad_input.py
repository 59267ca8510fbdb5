"""Bad input: one line that names the thing, the reason and the mend, exit status 2, and nothing lost."""

import sys

import pytest
import soundfile
from sounds import RATE_HZ, sound, write_classes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A library of three classes that nobody extracts."""
    folder = tmp_path_factory.mktemp("bad input") / "library"
    write_classes(folder, per_class=3, seconds=0.2)
    return folder


def refused(result, *words: str) -> None:
    """Check that a command was refused in one line that has these words."""
    assert result.status == 2, result.err
    assert result.out == ""
    lines = [line for line in result.err.splitlines() if line.startswith("chordal: ")]
    assert len(lines) == 1, result.err
    assert "Traceback" not in result.err
    for word in words:
        assert word in lines[0], lines[0]


def test_a_missing_folder(chordal, tmp_path):
    result = chordal("run", tmp_path / "nowhere")
    refused(result, "nowhere")
    assert len(result.err.splitlines()) == 1


def test_an_empty_folder(chordal, tmp_path):
    (tmp_path / "empty").mkdir()
    result = chordal("run", tmp_path / "empty")
    refused(result, "empty", "no audio files")
    assert len(result.err.splitlines()) == 1


def test_a_mistake_leaves_no_run_behind_that_would_be_the_last(chordal, library, tmp_path):
    assert chordal("scan", library).status == 0
    before = chordal("status").out
    refused(chordal("run", tmp_path / "nowhere"), "nowhere")
    refused(chordal("extract", library, "--labels", "colour"), "colour")
    refused(chordal("run", library, "--labels", "name:(z)"), "name:(z)")
    refused(chordal("train", tmp_path / "rows.npz"), "rows.npz")
    assert chordal("status").out == before


def test_a_file_where_a_folder_is_expected(chordal, library):
    refused(chordal("run", library / "low" / "low 0.wav"), "low 0.wav", "folder")


def test_no_library_at_all(chordal):
    refused(chordal("run"), "LIBRARY")


def test_one_class_only(chordal, library):
    refused(chordal("run", library / "low"), "'low'", "at least two")


def test_a_class_with_one_track(chordal, library, tmp_path):
    write_classes(tmp_path / "odd", per_class=2, seconds=0.2)
    (tmp_path / "odd" / "solo").mkdir()
    soundfile.write(tmp_path / "odd" / "solo" / "only.wav", sound(1), RATE_HZ)
    refused(chordal("run", tmp_path / "odd"), "'solo'", "one track")


def test_classes_of_two_tracks_each(chordal, tmp_path):
    write_classes(tmp_path / "tiny", per_class=2, seconds=0.2)
    refused(chordal("run", tmp_path / "tiny"), "more than two tracks", "add tracks")


def test_labels_that_match_nothing(chordal, library):
    refused(chordal("run", library, "--labels", r"name:_(\d)\."), "name:_", "none of 9 files")


def test_a_label_rule_that_is_no_expression(chordal, library):
    refused(chordal("run", library, "--labels", "name:(("), "not a regular expression")


def test_a_label_rule_of_an_unknown_kind(chordal, library):
    refused(chordal("run", library, "--labels", "colour"), "colour", "folder")


def test_folds_that_match_nothing(chordal, library):
    refused(chordal("run", library, "--folds", r"name:^fold(\d)"), "folds name:^fold", "--folds")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "x"\ntitel = "y"\nmodels = []', ("titel",)),
        ('name = "x"\ntitle = "y"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_meen"', ("mfcc_meen", "mfcc_mean")),
        ('name = "x"\ntitle = "y"\n[[models]]\nfamily = "swm"\nfeatures = "mfcc_mean"', ("swm", "svm")),
        ('name = "x"\ntitle = "y"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_mean"\nfixed = {q = 1}', ("q",)),
        ("name = ", ("TOML",)),
        ('name = "x"\ntitle = "y"\nmodels = []', ("models",)),
    ],
)
def test_a_recipe_with_a_mistake(chordal, library, tmp_path, text, words):
    recipe = tmp_path / "mistaken.toml"
    recipe.write_text(text, "utf-8")
    refused(chordal("run", library, "--recipe", recipe), "mistaken.toml", *words)


def test_a_recipe_that_is_not_there(chordal, library):
    refused(chordal("run", library, "--recipe", "defualt"), "defualt", "default")


def test_a_broker_that_does_not_answer(chordal, library):
    refused(chordal("run", library, "--broker", "redis://127.0.0.1:1/0"), "redis://127.0.0.1:1/0", "is it running")


def test_a_broker_address_that_is_none(chordal, library):
    refused(chordal("run", library, "--broker", "localhost"), "localhost", "redis://")


def test_a_home_that_is_a_file(chordal, library, tmp_path):
    (tmp_path / "file").touch()
    refused(chordal("run", library, "--home", tmp_path / "file"), "file", "--home")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder that even root cannot write in")
def test_a_home_that_cannot_be_written(chordal, library):
    refused(chordal("run", library, "--home", "/proc/chordal-home"), "/proc/chordal-home", "--home")


def test_a_typo_in_a_command(chordal):
    refused(chordal("rnu"), "rnu")


def test_a_typo_in_an_option(chordal, library):
    refused(chordal("run", library, "--lables", "folder"), "--lables", "--labels")


def test_asking_a_home_that_is_not_there_does_not_make_it(chordal):
    refused(chordal("status"), "nothing here yet")
    refused(chordal("failures"), "nothing here yet")
    refused(chordal("train"), "nothing")
    assert not (chordal.home / "store").exists()


def test_steering_a_home_that_is_not_there(chordal):
    for command in (("pause",), ("resume",), ("throttle", "--nice", "1"), ("cancel",)):
        refused(chordal(*command), "nothing here yet")
    assert not chordal.home.exists()


def test_steering_that_makes_no_sense(chordal, library):
    assert chordal("scan", library).status == 0
    refused(chordal("throttle"), "--nice", "--show")
    refused(chordal("throttle", "--show", "--nice", "1"), "--show alone")
    refused(chordal("throttle", "--nice", "20"), "--nice")
    refused(chordal("throttle", "--files-per-minute", "0"), "files-per-minute 0", "1 or more", "chordal pause")
    refused(chordal("throttle", "--files-per-minute", "many"), "many", "none")
    refused(chordal("throttle", "--hours", "night"), "hours night", "22:00-06:00")
    refused(chordal("throttle", "--hours", "08:00-08:00"), "08:00-08:00")
    refused(chordal("cancel"), "no run is going on", "--home")
    refused(chordal("cancel", "20200101-000000-0000"), "20200101-000000-0000", "not in this home")
    refused(chordal("cancel", "--broker", "redis://127.0.0.1:1/0"), "redis://127.0.0.1:1/0", "is it running")
    assert chordal("throttle", "--show").out == "controls: none\n"


def test_an_unknown_priority(chordal, library):
    refused(chordal("run", library, "--priority", "urgent"), "urgent", "high")


def test_an_unknown_queue(chordal):
    refused(chordal("worker", "--queues", "extrakt", "--broker", "redis://127.0.0.1:1/0"), "extrakt", "extract")
