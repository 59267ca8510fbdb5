"""`chordal models` over a home with constructed models."""

import json
from pathlib import Path

import pytest
from model_homes import CLASSES, SPEC, learn, songs, store

from storage.home import Home
from workers.cli import main
from workers.learning import promotion


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """A home with a champion v0001, and v0002 that was kept."""
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    home = Home(tmp_path)
    store(tmp_path, songs(70))
    learn(tmp_path, "r1", songs(30), songs(10, first=30))
    learn(tmp_path, "r2", songs(40), songs(30, first=40), wrong=[41, 42])
    for run_id in ("r1", "r2"):
        promotion.decide(home, run_id)
    return home


@pytest.fixture
def models(capsys):
    """Run `chordal models ...` and return what it printed."""

    def run(*arguments) -> str:
        main(["models", *arguments])
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(capsys):
    """Run `chordal models ...`, check that it is refused in one line, and return that."""

    def run(*arguments) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["models", *arguments])
        assert ended.value.code == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return err

    return run


def test_the_list_marks_the_champion_and_says_why_others_were_kept(home, models):
    one, two = models().splitlines()[1:]
    assert one.startswith("* v0001")
    assert "champion; promoted: the first model" in one
    assert two.startswith("  v0002")
    assert "kept: does not beat v0001 at the level 0.019: 93.3% against 100.0% of 30 held-out tracks" in two
    assert models("list") == models()


def test_json_lists_all_of_it(home, models):
    listed = json.loads(models("--json"))
    assert listed["champion"] == "v0001"
    assert [(each["version"], each["champion"]) for each in listed["models"]] == [("v0001", True), ("v0002", False)]
    kept = listed["models"][1]
    assert kept["verdict"]["state"] == "kept"
    assert kept["verdict"]["comparison"]["test"] == "sign_flip"
    assert (kept["verdict"]["turn"], kept["challengers"]) == (1, 0)
    assert listed["models"][0]["challengers"] == 1
    assert kept["misfit"] is None
    assert kept["split"]["test"] == 30
    assert kept["metrics"]["test_tracks"] == 30
    assert set(kept["files"]) == {"classifier.json", "member-0/model.skops"}


def test_show_says_how_many_were_held_against_a_champion(home, models):
    assert "challengers    1 model was held against it on held-out tracks" in models("show", "v0001")
    assert "challengers" not in models("show", "v0002")


def test_show_tells_what_it_takes_to_use_and_to_repeat_a_model(home, models):
    printed = models("show", "v0002")
    model = home.registry.get("v0002")
    for word in (SPEC.key, model.dataset_digest, *CLASSES, "seed 1", "c 1", "39 train", "chordal 0.1.0"):
        assert word in printed, word
    assert models("show").splitlines()[0].split() == ["version", "v0001"]
    assert json.loads(models("show", "v0001", "--json"))["history"][0]["action"] == "first"


def test_promote_and_rollback_change_the_champion_and_say_the_way_back(home, models):
    assert models("promote", "v0002", "--reason", "I know better") == (
        "the champion is v0002; `chordal models rollback` goes back to v0001\n"
    )
    assert home.champions.current().reason == "I know better"
    assert json.loads(models("rollback", "--json"))["champion"] == "v0001"
    assert [entry.action for entry in home.champions.history()] == ["first", "promote", "rollback"]


def test_compare_shows_both_and_tests_them_on_what_neither_learned_from(home, models):
    printed = models("compare", "v0001", "v0002")
    assert "v0002 against v0001: 93.3% against 100.0% of 30 held-out tracks" in printed
    [accuracy] = [line for line in printed.splitlines() if line.startswith("test accuracy")]
    assert accuracy.split()[2:] == ["100.0%", "93.3%"]
    listed = json.loads(models("compare", "v0002", "v0001", "--json"))
    # v0002 learned from all that v0001 was tested on
    assert listed["comparison"] is None
    assert listed["left_out"] == {"learned from by v0002": 10}


def test_what_cannot_be_is_refused_in_one_line(home, refused):
    assert "model v0009: no such version; the latest are: v0001, v0002" in refused("promote", "v0009")
    assert "v0009" in refused("show", "v0009")
    assert "v0009" in refused("compare", "v0001", "v0009")
    assert "one model; name two" in refused("compare", "v0002", "v0002")
    assert "v0001 is the first champion" in refused("rollback")
    assert "shw" in refused("shw")


def test_a_model_with_other_features_is_not_promoted_and_both_fingerprints_are_named(home, models, refused):
    learn(home.path, "r3", songs(40), songs(30, first=40), features="mfcc_mean-0123456789ab")
    error = refused("promote", "v0003")
    assert "model v0003: it was trained on mfcc_mean 0123456789ab" in error
    assert f"this chordal computes mfcc_mean {SPEC.fingerprint}" in error
    assert "cannot be used here" in models().splitlines()[3]
    learn(home.path, "r4", songs(40), songs(30, first=40), features="zero_crossings-0123456789ab")
    assert "zero_crossings 0123456789ab, which is not installed here" in refused("promote", "v0004")
    # and no going back to such a one
    home.champions.promote("v0003")
    home.champions.promote("v0002")
    assert "0123456789ab" in refused("rollback")


def test_a_damaged_model_is_not_promoted(home, refused):
    (Path(home.registry.get("v0002").path) / "member-0" / "model.skops").write_bytes(b"")
    assert "is not what was registered" in refused("promote", "v0002")


def test_a_home_without_models_says_so(tmp_path, monkeypatch, models, refused):
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path))
    assert "nothing here yet" in refused()
    (tmp_path / "runs").mkdir()
    assert models() == "no models yet\n"
    assert "no champion yet" in refused("show")
    assert "no champion yet" in refused("rollback")


def test_a_model_that_cannot_be_read_hides_no_other(home, models):
    (home.path / "models" / "v0001" / "model.json").write_text("{", "ascii")
    (home.path / "models" / "verdicts" / "v0002.json").write_text("{", "ascii")
    listed = models()
    assert "v0002  " in listed
    assert "the verdict cannot be read: " in listed
    assert "v0001 cannot be read: " in listed
    found = json.loads(models("list", "--json"))
    assert [each["version"] for each in found["models"]] == ["v0002"]
    assert found["errors"].keys() == {"v0001"}
    assert found["models"][0]["errors"].keys() == {"verdict"}
