"""Predictions from what is stored: forms, scores, order and failures, without any worker."""

import csv
import json
import os

import pytest
from model_homes import SPEC, Song, learn, rows_of, songs
from programs import program_error

from pipeline.errors import UsageError
from pipeline.learning.models.classifier import CARD_NAME
from pipeline.library.tracks import Failure, FileStamp, TrackRecord, track_id
from storage import FileFeatureStore
from storage.home import Home
from workers.cli import main
from workers.learning import promotion
from workers.predict import predictions, reader
from workers.predict.predictions import predict
from workers.processes.environment import without_stderr

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose champion learned from 20 songs and was tested on 10, all of them stored with files of one byte."""
    made = Home(tmp_path / "home")
    monkeypatch.setenv("CHORDAL_HOME", str(made.path))
    monkeypatch.setattr(
        Song, "path", property(lambda song: str(tmp_path / "music" / song.truth / f"{song.number:04d}.wav"))
    )
    keep(made.path, songs(30))
    learn(made.path, "r1", songs(20), songs(10, first=20))
    promotion.decide(made, "r1")
    return made


@pytest.fixture
def music(home):
    return home.path.parent / "music"


def keep(folder, made, failure=None):
    """Make the files of songs and put their features, or a failure, into the store of a home's folder."""
    store = FileFeatureStore.open(folder / "store")
    for song in made:
        path = folder.parent / "music" / song.truth / f"{song.number:04d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        facts = path.stat()
        record = TrackRecord(
            track_id=track_id(str(path)), path=str(path), sequence=1, content_hash="" if failure else song.content,
            stamp=FileStamp(size_bytes=facts.st_size, mtime_ns=facts.st_mtime_ns), duration_s=3.0, failure=failure,
        )  # fmt: skip
        store.commit(record, {} if failure else {SPEC.key: rows_of(song)}, {SPEC.key: SPEC})
    store.compact()


def run(*arguments) -> None:
    main(["predict", *map(str, arguments)])


def refused(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_every_stored_file_is_answered_in_the_order_of_the_walk_whatever_is_read_at_once(home, music, monkeypatch):
    expected = sorted(str(path) for path in music.rglob("*.wav"))
    whole = list(predict(home.path, [music]))
    assert [each.path for each in whole] == expected
    assert all(each.label == each.path.split("/")[-2] for each in whole)
    monkeypatch.setattr(reader, "TRACKS_AT_ONCE", 7)
    monkeypatch.setattr(reader, "FIRST_AUDIO_S", 6.0)
    monkeypatch.setattr(reader, "ROWS_BYTES", 400)
    again = list(predict(home.path, [music]))
    assert [each.path for each in again] == expected
    # sums of other shapes differ in the last digit
    assert [each.probability for each in again] == pytest.approx([each.probability for each in whole], abs=1e-12)


def test_a_file_named_twice_or_with_its_folder_is_answered_once(home, music):
    one = music / "low" / "0001.wav"
    found = predict(home.path, [one, music / "low", str(one), music])
    assert len(list(found)) == 30
    assert found.extracted == 0


def test_a_recorded_failure_is_an_answer_with_the_reason(home, music, capsys):
    keep(home.path, songs(1, first=50), failure=Failure(kind="empty", reason="a header and no samples"))
    run(music / "high", "--csv")
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["label"], row["kind"]) for row in rows][-1] == ("", "empty")
    run(music / "high")
    out, err = capsys.readouterr()
    assert "empty, a header and no samples" in out
    assert "15 predicted, 1 failed" in err
    with pytest.raises(SystemExit) as ended:
        run(next((music / "high").glob("*50*")))
    assert ended.value.code == 1, "no file at all was answered"
    assert "empty, a header and no samples" in capsys.readouterr().out


def test_csv_has_the_columns_that_were_asked_for(home, music, capsys):
    run(music / "low", "--csv", "--top", 2)
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(rows[0]) == [
        "path", "label", "probability", "unsure", "label_2", "probability_2", "truth", "learned", "kind", "reason"
    ]  # fmt: skip
    assert {(row["label"], row["label_2"]) for row in rows} == {("low", "high")}
    run(music / "low", "--csv", "--timeline")
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(rows[0]) == ["path", "start_s", "label", "probability", "kind", "reason"]
    assert {row["start_s"] for row in rows} == {"0.000"}


def test_a_file_takes_its_form_from_its_name_and_is_not_replaced_unasked(home, music, tmp_path, capsys):
    run(music, "--out", tmp_path / "labels.csv")
    run(music, "--out", tmp_path / "labels.json")
    assert capsys.readouterr().out == ""
    assert len((tmp_path / "labels.csv").read_text("utf-8").splitlines()) == 31
    assert len(json.loads((tmp_path / "labels.json").read_text("utf-8"))["tracks"]) == 30
    assert "labels.csv: there already" in refused(capsys, music, "--out", tmp_path / "labels.csv")
    run(music / "low", "--out", tmp_path / "labels.csv", "--force", "--json")
    assert json.loads(capsys.readouterr().out)["predicted"] == 15
    assert "a folder" in refused(capsys, music, "--out", tmp_path)
    assert "cannot be written" in refused(capsys, music, "--out", tmp_path / "no" / "folder.csv")
    # a command that failed leaves the file as it was, and nothing beside it
    before = (tmp_path / "labels.csv").read_text("utf-8")
    refused(capsys, tmp_path / "nowhere", "--out", tmp_path / "labels.csv", "--force")
    assert (tmp_path / "labels.csv").read_text("utf-8") == before
    assert [path.name for path in tmp_path.glob(".*.part")] == []


def test_true_labels_give_scores_of_what_the_model_did_not_learn_from(home, music, capsys):
    run(music, "--labels", "folder", "--json")
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert scores["learned"] == 20
    assert (scores["scores"]["n"], scores["scores"]["accuracy"]) == (10, 1.0)
    run(music, "--labels", "folder:2")
    assert "labels that are no class of the model, which cannot be right: music 10" in capsys.readouterr().err
    assert "none of 30 files got a label" in refused(capsys, music, "--labels", "name:(zzz)")


def test_where_the_model_abstains_the_answer_is_unsure(home, music, capsys):
    folder = home.path / "models" / "v0001"
    wire = json.loads((folder / CARD_NAME).read_text("utf-8")) | {
        "answering": {"temperature": 1.0, "threshold": 1.1},
        "format": 2,
    }
    (folder / CARD_NAME).write_text(json.dumps(wire), "utf-8")
    assert "is not what was registered" in refused(capsys, music)
    description = json.loads((folder / "model.json").read_text("utf-8"))
    del description["crc32"]
    (folder / "model.json").write_text(json.dumps(description | {"files": {}}), "utf-8")
    run(music / "low")
    out, err = capsys.readouterr()
    assert all("unsure, perhaps low" in line for line in out.splitlines())
    assert "15 unsure" in err


def test_another_model_than_the_champion_is_used_when_it_is_named(home, music):
    learn(home.path, "r2", songs(20), songs(10, first=20))
    assert predict(home.path, [music], model="v0002").model.version == "v0002"
    assert predict(home.path, [music]).model.version == "v0001"


def test_a_home_without_a_champion_says_which_model_could_be_it(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(UsageError, match="no model yet"):
        predict(tmp_path, [tmp_path])
    learn(tmp_path, "r1", songs(4), songs(4, first=4))
    with pytest.raises(UsageError, match="none of its 1 models is the champion; `chordal models promote v0001`"):
        predict(tmp_path, [tmp_path])


def test_runs_of_predictions_are_forgotten_after_a_while(home):
    plan = home.ledger.plan("r1")
    for number in range(predictions.KEPT_RUNS + 3):
        home.ledger.create(
            plan.replace(run_id=f"p{number:02d}", purpose="predict", created=f"2026-02-{number + 1:02d}")
        )
    predictions._forget_old_runs(home)
    assert home.ledger.run_ids("predict") == [f"p{number:02d}" for number in range(3, predictions.KEPT_RUNS + 3)]
    assert home.ledger.run_ids("library") == ["r1"]


def test_what_libraries_print_below_python_is_hidden_while_asked_for(capfd):
    with without_stderr():
        os.write(2, b"no GPU here\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_a_command_that_asks_a_network_shows_nothing_of_what_tensorflow_prints(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TF_")]:
        monkeypatch.delenv(name)
    imports = (
        "from pipeline.learning.models.runtime import fresh_keras; "
        "from workers.processes.environment import quiet_tensorflow"
    )
    assert program_error(f"{imports}; quiet_tensorflow(); fresh_keras(1)") == ""
