"""Labels on the command line: what is told of them, what a vocabulary folds, and `chordal labels`."""

import csv
import io
import json
from dataclasses import replace

import mutagen
import numpy as np
import pytest
import soundfile

from pipeline.learning.study.results import ClassScores, Scores
from pipeline.learning.training.prediction import PredictionScores
from pipeline.library.vocabulary.load import load_vocabulary, parse_vocabulary
from pipeline.plans.recipe import load_recipe
from pipeline.plans.recipe_toml import recipe_toml
from pipeline.plans.scan_rules import ScanRules
from storage.home import Home
from workers.cli import main
from workers.cli.inspect import labels as command
from workers.cli.runs.prediction_output import summary_lines
from workers.learning import report
from workers.predict.request import PredictionRequest, RequestedFiles, fold_as_learned
from workers.runs.progress import View
from workers.runs.request import RunRequest, recipe_of
from workers.runs.scan import scan_libraries
from workers.schedule import nightly
from workers.schedule.nights import Nights

GENRES = (
    ["Rock"], ["Rock"], ["Rock"], ["ROCK"], ["ROCK"], ["rock"], ["Hip-Hop"], ["Hip-Hop"], ["hip hop", "Jazz"], ["Rap"],
    ["Rock; Pop"], ["Death Metal"], ["Other"], [], ["Zouglou"],
)  # fmt: skip


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A folder of FLAC files with genres, and a table that says the same."""
    folder = tmp_path_factory.mktemp("music")
    noise = np.random.default_rng(1).normal(0, 0.1, 800).astype(np.float32)
    rows = ["path;label"]
    for number, genres in enumerate(GENRES):
        path = folder / f"{number:02d}.flac"
        soundfile.write(path, noise, 8000)
        file = mutagen.File(path)
        file["genre"] = genres
        file.save()
        if genres:
            rows.append(f'{path.name};"{genres[0]}"')
    (folder / "table.csv").write_text("\n".join(rows), "utf-8")
    return folder


@pytest.fixture
def chordal(tmp_path, monkeypatch, capsys):
    """Run a command in this process and return its status, output and errors as single lines."""
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            main([*map(str, arguments)])
            status = 0
        except SystemExit as end:
            status = end.code or 0
        out, err = capsys.readouterr()
        return status, out if "--json" in arguments or "--csv" in arguments else " ".join(out.split()), err

    return run


@pytest.mark.parametrize("spec", ["tag:genre", "csv:{}/table.csv"])
def test_labels_that_differ_by_case_stay_apart_and_are_told_by_scan(chordal, music, spec):
    # given three spellings of Rock, two of Hip-Hop, and a value that looks like several
    status, out, _ = chordal("scan", music, "--labels", spec.format(music))
    assert status == 0
    assert "ROCK 2, Rap 1, Rock 3, Rock; Pop 1, Zouglou 1" in out
    assert (
        "Rock, ROCK and rock differ by case alone; Hip-Hop and hip hop differ by case and blanks or hyphens alone"
        in out
    )
    assert "`chordal labels --propose FILE` writes a vocabulary that makes them one" in out
    assert "'Rock; Pop' looks like several labels in one" in out
    _, out, _ = chordal("scan", music, "--labels", spec.format(music), "--json")
    wire = json.loads(out)
    assert wire["near_equal"][0] == {"labels": {"Rock": 3, "ROCK": 2, "rock": 1}, "differ_by": "case"}
    assert (wire["several"], wire["folded"], wire["all_labels"]) == ({"Rock; Pop": 1}, None, {})


def test_groups_and_folds_that_differ_by_case_are_told_too(chordal, music, tmp_path):
    groups = ("The Beatles", "the beatles", "Queen", "Bj\u00f6rk", "Bjork", "Queens")
    rows = ["path,label,group,fold", *(f"{n:02d}.flac,Rock,{groups[n % 6]},{'Ff'[n % 2]}old 1" for n in range(15))]
    (tmp_path / "t.csv").write_text("\n".join(rows), "utf-8")
    _, out, _ = chordal("scan", music, "--labels", f"csv:{tmp_path / 't.csv'}")
    assert (
        "groups: The Beatles and the beatles differ by case alone; Bjork and Bj\u00f6rk differ by accents alone; if"
        in out
    )
    assert "folds: Fold 1 and fold 1 differ by case alone; if they are one, write them alike" in out
    _, out, _ = chordal("scan", music, "--labels", f"csv:{tmp_path / 't.csv'}", "--json")
    assert json.loads(out)["near_equal_groups"][0] == {
        "labels": {"The Beatles": 3, "the beatles": 3},
        "differ_by": "case",
    }


def test_true_labels_that_nearly_are_classes_of_the_model_are_told_by_predict():
    scores = Scores(
        accuracy=0.5, macro_f1=0.5, n=2, confusion=((1, 0), (0, 1)),
        per_class={name: ClassScores(precision=1.0, recall=1.0, f1=1.0, n=1) for name in ("Rock", "Jazz")},
    )  # fmt: skip
    lines = summary_lines(
        {"predicted": 4}, PredictionScores(scores=scores, unsure=0, learned=0, unknown={"ROCK": 2, "Polka": 1})
    )
    assert lines[-1] == "ROCK and Rock differ by case alone; a --vocabulary makes true labels the model's"


def test_a_vocabulary_folds_labels_and_says_how_many(chordal, music, tmp_path):
    status, out, _ = chordal("scan", music, "--labels", "tag:genre", "--vocabulary", "default")
    assert status == 0
    assert "labels Hip-Hop 4, Metal 1, Rock 7, Zouglou 1" in out
    assert "folded 6 labels of 7 files into 3; dropped 1 label, and 1 file has none for that" in out
    assert "differ by" not in out
    _, out, _ = chordal("scan", music, "--labels", "tag:genre", "--vocabulary", "default", "--multi", "--json")
    wire = json.loads(out)
    assert wire["folded"] == {"labels": 6, "files": 7, "into": 4, "dropped": 1, "unlabelled": 1}
    assert wire["labels"] == {"Hip-Hop": 4, "Metal": 1, "Rock": 7, "Zouglou": 1}
    assert wire["all_labels"] == {"Rock": 7, "Hip-Hop": 4, "Jazz": 1, "Metal": 1, "Pop": 1, "Zouglou": 1}
    # and the run keeps all labels, and what they were
    home = Home(tmp_path / "home")
    tracks = {track.path[-7:]: track for track in home.ledger.shard(home.ledger.run_ids()[-1], 0)}
    assert tracks["08.flac"].labels == ("Hip-Hop", "Jazz")
    assert (tracks["10.flac"].label, tracks["10.flac"].labels) == ("Rock", ("Rock", "Pop"))
    assert tracks["10.flac"].labels_found == ("Rock; Pop",)
    assert (tracks["00.flac"].label, tracks["00.flac"].labels_found) == ("Rock", ())
    assert (tracks["12.flac"].label, tracks["12.flac"].labels_found) == (None, ("Other",))


def test_a_run_says_in_its_progress_what_was_folded_and_what_is_nearly_the_same(music, tmp_path, capsys):
    request = RunRequest(
        command=("chordal", "extract"),
        libraries=(str(music),),
        recipe=load_recipe("quick"),
        labels="tag:genre",
        learn=False,
        rules=ScanRules(folding=parse_vocabulary('unknown = "keep"\n[aliases]\nMetal = ["Death Metal"]', "own")),
    )
    with View() as view:
        scanned = scan_libraries(Home(tmp_path), request, view)
    assert scanned.found.labels["Metal"] == 1
    assert report.content(Home(tmp_path), scanned.plan.run_id).label_findings == scanned.found.label_findings
    lines = capsys.readouterr().err.splitlines()
    assert "folded 2 labels of 2 files into 2" in lines
    assert [line for line in lines if line.startswith("Rock, ROCK and rock differ by case alone")]


def test_predictions_are_compared_with_true_labels_that_are_folded(music):
    vocabulary = load_vocabulary("default")
    request = PredictionRequest(
        paths=(str(music), str(music / "11.flac")), labels="tag:genre", rules=ScanRules(folding=vocabulary)
    )
    labels = {track.path[-7:-5]: track.label for track in RequestedFiles(request).each()}
    assert (labels["11"], labels["05"], labels["09"], labels["12"]) == ("Metal", "Rock", "Hip-Hop", None)


def test_true_labels_are_folded_as_the_run_of_the_model_did_unless_the_command_says_otherwise(chordal, music, tmp_path):
    chordal("scan", music, "--labels", "tag:genre", "--vocabulary", "default")
    ledger = Home(tmp_path / "home").ledger
    request = PredictionRequest(paths=(str(music / "11.flac"),), labels="tag:genre")
    unfolded = replace(request, rules=ScanRules(vocabulary="none"))
    for asked, run_id, label in (
        (request, ledger.run_ids()[-1], "Metal"),
        (unfolded, ledger.run_ids()[-1], "Death Metal"),
        (request, "20200101-000000-0000", "Death Metal"),  # a run that was deleted
    ):
        files = RequestedFiles(fold_as_learned(asked, ledger, run_id))
        assert [track.label for track in files.each()] == [label]


def test_a_vocabulary_without_true_labels_is_refused_by_predict(chordal, music):
    status, _, err = chordal("predict", music, "--vocabulary", "default")
    assert (status, "none are given; name them with --labels" in err) == (2, True)


def test_train_goes_on_with_the_vocabulary_of_the_last_run_as_it_was(chordal, music, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('[aliases]\nRock = ["Zouglou"]\n', "utf-8")
    chordal("scan", music, "--labels", "tag:genre", "--vocabulary", "own.toml", "--multi")
    file.write_text("names = [", "utf-8")  # no vocabulary any more
    status, _, err = chordal("train")
    assert (status, "'Death Metal', 'Other', 'Rap' has one track only" in err) == (2, True)
    status, _, err = chordal("train", "--vocabulary", "none")
    assert (status, "'Death Metal', 'Other', 'Rap', 'Rock; Pop', 'Zouglou' has one track only" in err) == (2, True)
    status, _, err = chordal("train", "--vocabulary", "own.toml")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"chordal: vocabulary {file}: not valid TOML")


def test_a_class_of_one_track_is_refused_with_the_label_that_it_may_have_been_meant_to_be(chordal, music, tmp_path):
    rows = ["path,label", *(f"{n:02d}.flac,{'Rock' if n else 'rock'}" for n in range(9)), "09.flac,Pop", "10.flac,Pop"]
    (tmp_path / "t.csv").write_text("\n".join(rows), "utf-8")
    chordal("scan", music, "--labels", f"csv:{tmp_path / 't.csv'}")
    status, _, err = chordal("train", music, "--labels", f"csv:{tmp_path / 't.csv'}")
    assert status == 2
    assert "'rock' has one track only" in err
    assert "; Rock and rock differ by case alone, and a --vocabulary makes them one" in err


def test_a_vocabulary_that_leaves_no_label_is_refused_by_its_name(chordal, music, tmp_path):
    (tmp_path / "own.toml").write_text('unknown = "drop"\nnames = ["Polka"]', "utf-8")
    chordal("scan", music, "--labels", "tag:genre")
    status, _, err = chordal("train", music, "--labels", "tag:genre", "--vocabulary", "own.toml")
    assert status == 2
    assert "own.toml: drops the labels of all 14 files that have one; mend its ignore or unknown" in err


def test_a_recipe_may_have_a_vocabulary_which_the_command_overrides(chordal, music, tmp_path):
    text = recipe_toml(load_recipe("quick")) + '\n[vocabulary.aliases]\nHit = ["Rock", "Rap"]\n'
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    words = ("scan", music, "--labels", "tag:genre", "--recipe", "mine.toml")
    assert "Hit 8" in chordal(*words)[1]
    assert "ROCK 2" in chordal(*words, "--vocabulary", "none")[1]
    (tmp_path / "mine.toml").write_text(text + 'Hot = ["rock"]\n', "utf-8")
    status, _, err = chordal(*words)
    assert status == 2
    assert "recipe mine.toml: vocabulary: aliases: 'rock' is an alias of 'Hit' and of 'Hot'" in err
    assert recipe_of("quick", trials=None).vocabulary is None


def test_a_schedule_keeps_the_name_of_a_vocabulary_and_reads_it_anew_each_night(chordal, music, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('names = ["A"]', "utf-8")
    words = ("schedule", "set", "--library", music, "--labels", "tag:genre")
    _, out, _ = chordal(*words, "--vocabulary", "own.toml", "--multi")
    assert f"labels tag:genre, vocabulary {file}, all labels of a file" in out
    schedule = Nights(tmp_path / "home").schedule()
    assert schedule.rules == ScanRules(vocabulary=str(file), multi=True)
    file.write_text('names = ["B"]', "utf-8")
    request = nightly.nightly_request(schedule, broker=None)
    assert isinstance(request, RunRequest)
    assert request.rules.folding.names == ("B",)
    file.write_text("level = 'top'", "utf-8")
    assert chordal("schedule", "set", "--nightly", "0 4 * * *")[0] == 2
    _, out, _ = chordal("schedule", "set", "--vocabulary", "none", "--no-multi")
    assert "all labels" not in out
    assert nightly.nightly_request(Nights(tmp_path / "home").schedule(), broker=None).rules.folding is None


def test_labels_lists_what_there_is_and_needs_no_home(chordal, music, tmp_path):
    status, out, _ = chordal("labels", music, "--labels", "tag:genre")
    assert status == 0
    assert "Rock 3 20.0%" in out
    assert "files 15, 1 of them without a label" in out
    assert "nearly equal Rock 3, ROCK 2, rock 1: differ by case" in out
    assert "several in one Rock; Pop 1" in out
    assert "of one file Death Metal, Other, Rap, Rock; Pop, Zouglou, hip hop, rock" in out
    assert not (tmp_path / "home").exists()


def test_labels_in_json_and_csv_have_every_label(chordal, music):
    words = ("labels", music, "--labels", "tag:genre", "--multi", "--vocabulary", "default")
    status, out, err = chordal(*words, "--json")
    wire = json.loads(out)
    assert (status, err) == (0, "")
    found_as = {"ROCK": 2, "Rock; Pop": 1, "rock": 1}
    assert wire["labels"][0] == {
        "label": "Rock", "files": 7, "share": 7 / 15, "found_as": found_as, "is_known": True,
    }  # fmt: skip
    assert (wire["unknown"], wire["dropped"], wire["files"], wire["unlabelled"]) == (["Zouglou"], {"Other": 1}, 15, 2)
    _, out, _ = chordal(*words, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["label"] for row in rows] == [each["label"] for each in wire["labels"]]
    assert rows[-1]["known"] == "no"


def test_a_proposed_vocabulary_is_written_once_and_makes_one_of_three_spellings(chordal, music, tmp_path):
    words = ("labels", music, "--labels", "tag:genre", "--propose", "genres.toml")
    assert chordal(*words)[0] == 0
    text = (tmp_path / "genres.toml").read_text("utf-8")
    status, _, err = chordal(*words)
    assert (status, "--propose" in err, "--force" in err) == (2, True, True)
    assert "scan" not in err  # which may take long, and would be in vain
    assert (tmp_path / "genres.toml").read_text("utf-8") == text
    assert chordal(*words, "--force")[0] == 0
    _, out, _ = chordal("scan", music, "--labels", "tag:genre", "--vocabulary", "genres.toml")
    assert "labels Death Metal 1, Hip-Hop 3, Other 1, Rap 1, Rock 7, Zouglou 1" in out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--json", "--csv"), "two forms"),
        (("--force",), "replaces the file of --propose"),
        (("--propose", "x.toml", "--vocabulary", "own.toml"), "begins with nothing, or with --vocabulary default"),
        (("--propose", "no/folder/x.toml"), "--propose"),
        (("--vocabulary", "gone.toml"), "gone.toml: no such file"),
        (("--vocabulary", ""), "vocabulary '': no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(chordal, music, words, reason):
    status, _, err = chordal("labels", music, *words)
    assert status == 2
    assert reason in err.splitlines()[-1]


def test_what_is_above_the_limit_is_a_number(chordal, music, monkeypatch):
    monkeypatch.setattr(command, "SHOWN", 1)
    _, out, _ = chordal("labels", music, "--labels", "tag:genre")
    assert "and 1 more; --json has all" in out
    assert "of one file Death Metal and 6 more" in out
